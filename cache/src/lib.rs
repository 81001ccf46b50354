//! `dtbuild-content`: content keys of images and what they are taken from.
//!
//! In the order in which data flows:
//! [`ignore`] reads `.dockerignore` as moby does, [`globs`] those of `build.toml`; [`sources`] finds what a
//! Dockerfile copies; [`tree`] lists a folder through such filters and folds it into one digest; [`snapshot`] is the same folder as the
//! files that a build will see; [`stat`] remembers what the files of a working tree hashed to;
//! [`memo`] remembers what was found out about content, [`fingerprint`] apart for each version of the code; [`key`] puts
//! everything that can alter an image into its content key. [`draft`] writes files, [`path`] joins paths, [`text`] reads
//! values from strings.

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
