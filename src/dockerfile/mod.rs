//! Dockerfiles: the files that a build reads, the images that it stands on, the arguments that it takes. Start with
//! [`Dockerfile`].
//!
//! The language is read as BuildKit's frontend 1.x reads it, whatever x is, from the bytes to the list of paths that
//! the frontend asks a client for. Data flows through the modules in this order:
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | `file`, `directives`, `lines`, `heredoc` | bytes | logical lines, each byte with its place in the file |
//! | `instruction`, `flags`, `mount`, `pairs` | a line | an instruction, its words not yet expanded |
//! | `text`, `words`, `expand`, `pattern` | a word and its variables | a text, or the variable that is missing |
//! | `arguments`, `scope`, `platform` | arguments | the values of variables, globally and within a stage |
//! | `configs` | images elsewhere | the variables and ONBUILD instructions of these images |
//! | `stages` | stages and a target | the stages that are reached, and the images that they stand on |
//! | `reading`, `variables`, `copies`, `inputs`, `remote` | all of these | an [`Analysis`] |
//! | `frontend`, `older` | an [`Analysis`] per version of the frontend | one that holds for all |
//! | `pin` | analyses and digests | the file with its images pinned |
//!
//! A read that cannot be known exactly is never guessed: it widens the inputs, up to the whole context, and a [`Note`]
//! gives the reason and the line.

mod analysis;
mod arguments;
mod configs;
mod copies;
mod directives;
mod error;
mod expand;
mod file;
mod flags;
mod frontend;
mod heredoc;
mod inputs;
mod instruction;
mod lines;
mod mount;
mod older;
mod pairs;
mod pattern;
mod pin;
mod reading;
mod remote;
mod scope;
mod stages;
#[cfg(test)]
mod tests;
mod text;
mod variables;
mod words;

pub use analysis::{
    Analysis, AnalysisError, Base, Dependency, Entitlement, EntitlementKind, ImageNames, NamedContext, Note,
    NoteKind, Options, ReachedStage, context_word,
};
pub use configs::{BaseConfig, Configs, PlatformImage, Rest};
pub use error::{ParseError, ParseReason};
pub use file::Dockerfile;
pub use inputs::{Inputs, Source, SourceKind};
pub use pin::{PinError, Pinned, Unpinned};
pub use remote::{Remote, RemoteKind};
pub use stages::familiar;
pub use text::ExpandError;
