//! `build.lock`: the digests of base images, committed, as `Cargo.lock` is. Start with [`Lock`].
//!
//! TOML with one base image a line, sorted, so that two branches that lock different images merge:
//!
//! ```toml
//! version = 1
//!
//! [bases]
//! "nginx:1.29" = "sha256:..."
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::error::ConfigError;
use crate::reference::Digest;

/// The name of the file at the repository's root.
pub const FILE_NAME: &str = "build.lock";

const VERSION: u32 = 1;

const HEADER: &str = "\
# The digests of the base images that the Dockerfiles name. Written by `dtbuild lock`; commit it.
# `dtbuild lock --update` moves them to what the registries serve now.
";

/// The digest of each base image, by the name that the Dockerfiles use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Name to digest.
    pub bases: BTreeMap<String, Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: u32,
    #[serde(default)]
    bases: BTreeMap<String, Digest>,
}

impl Lock {
    /// Reads the text of a `build.lock`.
    ///
    /// # Errors
    /// When it is not one, or was written by a newer dtbuild.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let file: LockFile =
            toml::from_str(text).map_err(|error| ConfigError::from_toml(FILE_NAME, text, &error))?;
        if file.version != VERSION {
            return Err(ConfigError::new(FILE_NAME, format!("version {} is not known", file.version))
                .hint(format!("this dtbuild reads version {VERSION}; use the one that wrote the file")));
        }
        Ok(Self { bases: file.bases })
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{HEADER}version = {VERSION}\n\n[bases]\n")?;
        for (name, digest) in &self.bases {
            writeln!(formatter, "{} = \"{digest}\"", toml::Value::from(name.as_str()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_reads_back_as_it_was_written() {
        let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let lock =
            Lock { bases: [("nginx:1".to_owned(), digest.clone()), ("a/b".to_owned(), digest)].into() };
        assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
    }

    #[test]
    fn a_newer_lock_and_a_broken_digest_are_refused_with_their_place() {
        assert!(Lock::parse("version = 9\n").unwrap_err().to_string().contains("version 9"));
        let error = Lock::parse("version = 1\n[bases]\n\"a\" = \"sha256:1\"\n").unwrap_err();
        assert_eq!(error.line, Some(3));
    }
}
