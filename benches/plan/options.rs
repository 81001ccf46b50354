//! The options of `./dev bench plan`. Start with [`Options::read`].

use std::path::PathBuf;

use crate::Outcome;
use crate::monorepo::Size;
use crate::processes::options::Common;

/// The command line.
pub(crate) struct Options {
    pub(crate) common: Common,
    pub(crate) sizes: Vec<Size>,
    /// The size of the monorepo that is cloned, and of which the sizes of the question of scaling are
    /// multiples.
    pub(crate) scaled: Size,
    /// The numbers of files that change.
    pub(crate) changes: Vec<usize>,
    pub(crate) peers: bool,
    /// Another dtbuild, such as that of the commit before: it answers in turn with this one.
    pub(crate) before: Option<PathBuf>,
}

const USAGE: &str = "\
usage: ./dev bench plan [--size IMAGES,FILES,COMMITS]... [--changes N,N...] [--rounds N] [--no-peers] [--before PROGRAM] [--only NAME]...
  --size      monorepos to measure; 3,1000,100 and 200,100000,1000 and 1000,300000,100 when left out.
              the first is cloned, and scaling measures multiples of it; 200,100000,1000 when left out
  --changes   how many files differ between base and head: of 1,10,100,1000,10000; 1,100,10000 when left out
  --rounds    how often each command runs; 11 when left out
  --no-peers  without turbo, nx and moon, which come from the npm registry
  --before    another dtbuild, asked in turn with this one: no row may become slower than 1.03 times
  --only      questions whose name holds this: diff, range, cold, peers, nothing, worktree, clone, scaling";

impl Options {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut sizes, mut changes, mut peers) = (Vec::new(), vec![1, 100, 10_000], true);
        let mut before = None;
        let common = Common::read(arguments, 11, USAGE, |option, value| {
            match option {
                "--size" => sizes.push(value()?.parse()?),
                "--changes" => changes = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--no-peers" => peers = false,
                "--before" => before = Some(value()?.into()),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let usual = Size::new(200, 100_000, 1000);
        let scaled = sizes.first().copied().unwrap_or(usual);
        if sizes.is_empty() {
            sizes = vec![Size::new(3, 1000, 100), usual, Size::new(1000, 300_000, 100)];
        }
        Ok(Self { common, sizes, scaled, changes, peers, before })
    }
}
