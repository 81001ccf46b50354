//! The views of `dtbuild explain`: [`ImageView`] for an image, [`PathView`] for a file.

use crate::plan::Reader;

use super::text;

mod image;
mod path;

pub use image::{Cause, ImageView};
pub use path::PathView;

/// The version of both JSON forms: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// The reader that makes a file an input, as a phrase.
fn reader_words(reader: &Reader) -> String {
    match reader {
        Reader::Instruction { file, line, instruction } => {
            format!("{}:{line}  {}", text::name(file), text::one_line(instruction))
        }
        Reader::Dockerfile => "its Dockerfile".to_owned(),
        Reader::IgnoreFile => "says what of its context is ignored".to_owned(),
        Reader::Paths => "`paths` in build.toml".to_owned(),
        Reader::Context { name: None } => "its whole context counts".to_owned(),
        Reader::Context { name: Some(name) } => {
            format!("its whole context `{}` counts", text::name(name))
        }
    }
}
