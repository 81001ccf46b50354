//! What each of the programs is asked for. Start with [`Common::read`].

use std::path::PathBuf;

use super::Outcome;

/// The options that all have.
pub(crate) struct Common {
    /// The release build of dtbuild.
    pub(crate) dtbuild: PathBuf,
    /// Where what is generated, and the results, are kept between runs.
    pub(crate) folder: PathBuf,
    /// How often each command runs.
    pub(crate) rounds: usize,
    /// Parts of names of questions; all where there are none.
    only: Vec<String>,
}

/// Gives the value of an option, which is its next argument.
pub(crate) type Value<'a> = &'a mut dyn FnMut() -> Outcome<String>;

impl Common {
    /// Reads the command line. `own` is told the options that not all have, and says whether it knows them.
    pub(crate) fn read(
        mut arguments: impl Iterator<Item = String>,
        rounds: usize,
        usage: &str,
        mut own: impl FnMut(&str, Value<'_>) -> Outcome<bool>,
    ) -> Outcome<Self> {
        let mut common = Self { dtbuild: PathBuf::new(), folder: PathBuf::new(), rounds, only: Vec::new() };
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("`{argument}` needs a value\n{usage}").into());
            match argument.as_str() {
                "--dtbuild" => common.dtbuild = std::path::absolute(value()?)?,
                "--folder" => common.folder = std::path::absolute(value()?)?,
                "--rounds" => common.rounds = value()?.parse::<usize>()?.max(1),
                "--only" => common.only.push(value()?),
                other if own(other, &mut value)? => {}
                _ => return Err(format!("`{argument}` is not known\n{usage}").into()),
            }
        }
        Ok(common)
    }

    /// Where the figures are kept.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    /// Whether a question is asked.
    pub(crate) fn wants(&self, question: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| question.contains(only.as_str()))
    }
}
