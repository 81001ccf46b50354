//! `dtbuild-content`: the content keys of images, and the files, rules and memory that keys are computed
//! from.
//!
//! The modules, in the order in which data flows:
//!
//! - [`ignore`]: the rules of `.dockerignore`, read as moby reads them; [`globs`]: the globs of `build.toml`;
//! - [`sources`]: the paths of a context that a Dockerfile copies;
//! - [`tree`]: a folder, listed through such filters and folded into one digest;
//! - [`snapshot`]: the files of such a folder, as a build will see them;
//! - [`stat`]: the remembered content ids of the files of a working tree;
//! - [`memo`]: the remembered answers about content; [`fingerprint`]: their folder, one for each version of
//!   the code;
//! - [`key`]: the content key of an image, taken from everything that can alter the image.
//!
//! [`draft`] writes files, [`path`] joins paths, [`text`] reads values from strings. Start with
//! [`key::KeyFields`].

pub mod draft;
pub mod fingerprint;
pub mod globs;
pub mod ignore;
pub mod key;
pub mod memo;
pub mod path;
pub mod snapshot;
pub mod sources;
pub mod stat;
pub mod text;
pub mod tree;
