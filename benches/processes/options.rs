//! The options that all of the programs have. Start with [`Common::read`].

use std::path::PathBuf;

use super::Outcome;

/// The options that all programs have.
pub(crate) struct Common {
    /// The release build of dtbuild.
    pub(crate) dtbuild: PathBuf,
    /// The folder that keeps generated repositories and the results between runs.
    pub(crate) folder: PathBuf,
    /// The number of times that each command runs.
    pub(crate) rounds: usize,
    /// Parts of names of the questions that are asked; empty for all questions.
    only: Vec<String>,
}

/// The function that gives the value of an option, which is the next argument.
pub(crate) type Value<'a> = &'a mut dyn FnMut() -> Outcome<String>;

impl Common {
    /// Reads the command line. `own` is told the options of one program alone, and returns true if it knows
    /// them.
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

    /// The folder of the figures.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    /// True if the question `question` is to be asked.
    pub(crate) fn wants(&self, question: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| question.contains(only.as_str()))
    }
}
