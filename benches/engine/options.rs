//! The options of `./dev bench engine`. Start with [`Options::read`].

use crate::Outcome;
use crate::processes::options::Common;

/// The command line.
pub(crate) struct Options {
    pub(crate) common: Common,
    /// The numbers of images that the projects have.
    pub(crate) images: Vec<usize>,
}

const USAGE: &str = "\
usage: ./dev bench engine [--images N,N...] [--rounds N] [--quick] [--only NAME]...
  --images  how many images the projects have; 3,30 when left out
  --rounds  how often each command runs; 7 when left out
  --quick   3 images and 3 rounds, to see that all of it works
  --only    questions whose name holds this: nothing, file of one, all images, cold, released, copied, read, 2 GB";

impl Options {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut images, mut quick) = (vec![3, 30], false);
        let mut common = Common::read(arguments, 7, USAGE, |option, value| {
            match option {
                "--images" => images = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--quick" => quick = true,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        if quick {
            (images, common.rounds) = (vec![3], 3);
        }
        Ok(Self { common, images })
    }
}
