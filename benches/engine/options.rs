//! What the program is asked for.

use std::path::PathBuf;

use crate::Outcome;

/// The command line.
pub(crate) struct Options {
    /// The release build of dtbuild.
    pub(crate) dtbuild: PathBuf,
    /// Where projects and results are kept.
    pub(crate) folder: PathBuf,
    /// How many images the projects have.
    pub(crate) images: Vec<usize>,
    pub(crate) rounds: usize,
    /// Parts of names of questions; all where there are none.
    only: Vec<String>,
}

const USAGE: &str = "\
usage: ./dev bench engine [--images N,N...] [--rounds N] [--quick] [--only NAME]...
  --images  how many images the projects have; 3,30 when left out
  --rounds  how often each command runs; 7 when left out
  --quick   3 images and 3 rounds, to see that all of it works
  --only    questions whose name holds this: nothing, file of one, all images, cold, released, copied, read, 2 GB";

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            dtbuild: PathBuf::new(),
            folder: PathBuf::new(),
            images: vec![3, 30],
            rounds: 7,
            only: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value\n{USAGE}"));
            match argument.as_str() {
                "--dtbuild" => options.dtbuild = std::path::absolute(value()?)?,
                "--folder" => options.folder = std::path::absolute(value()?)?,
                "--images" => {
                    options.images = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--quick" => (options.images, options.rounds) = (vec![3], 3),
                "--only" => options.only.push(value()?),
                _ => return Err(format!("`{argument}` is not known\n{USAGE}").into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, question: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| question.contains(only.as_str()))
    }
}
