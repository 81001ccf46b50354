//! What the program is asked for.

use std::path::PathBuf;

use crate::Outcome;
use crate::monorepo::Size;

/// The command line.
pub(crate) struct Options {
    /// The release build of dtbuild.
    pub(crate) dtbuild: PathBuf,
    /// Where monorepos, peers and results are kept between runs.
    pub(crate) folder: PathBuf,
    pub(crate) sizes: Vec<Size>,
    /// How many files change.
    pub(crate) changes: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) peers: bool,
    /// Parts of names of questions; all where there are none.
    pub(crate) only: Vec<String>,
}

const USAGE: &str = "\
usage: ./dev bench plan [--size IMAGES,FILES,COMMITS]... [--changes N,N...] [--rounds N] [--no-peers] [--only NAME]...
  --size      monorepos to measure; 3,1000,100 and 200,100000,1000 and 1000,300000,100 when left out
  --changes   how many files differ between base and head; 1,100,10000 when left out
  --rounds    how often each command runs; 11 when left out
  --no-peers  without turbo, nx and moon, which come from the npm registry
  --only      questions whose name holds this: diff, cold, peers, nothing, worktree, clone, scaling";

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            dtbuild: PathBuf::new(),
            folder: PathBuf::new(),
            sizes: Vec::new(),
            changes: vec![1, 100, 10_000],
            rounds: 11,
            peers: true,
            only: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value\n{USAGE}"));
            match argument.as_str() {
                "--dtbuild" => options.dtbuild = std::path::absolute(value()?)?,
                "--folder" => options.folder = std::path::absolute(value()?)?,
                "--size" => options.sizes.push(value()?.parse()?),
                "--changes" => {
                    options.changes = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--rounds" => options.rounds = value()?.parse()?,
                "--no-peers" => options.peers = false,
                "--only" => options.only.push(value()?),
                _ => return Err(format!("`{argument}` is not known\n{USAGE}").into()),
            }
        }
        if options.sizes.is_empty() {
            options.sizes =
                vec![Size::new(3, 1000, 100), Size::new(200, 100_000, 1000), Size::new(1000, 300_000, 100)];
        }
        Ok(options)
    }

    /// Where the figures are kept.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    pub(crate) fn wants(&self, question: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| question.contains(only.as_str()))
    }
}
