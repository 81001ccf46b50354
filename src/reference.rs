//! Names of images in registries: a [`Repository`] with a tag or a [`Digest`]. Start with [`Reference`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use dtbuild_content::key::ImageKey;

use crate::error::{Code, Failure};
use crate::text::as_text;

/// A repository of a registry, such as `registry.example.com/datatube/client`; host and path, no tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(Arc<str>);

/// The tag of the image that `dtbuild build` made last.
pub(crate) const LOCAL_TAG: &str = "local";

/// The longest path of a repository, in characters.
const PATH_LENGTH: usize = 255;

/// The digest of a manifest: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Arc<str>);

/// One image in a repository: by tag, or pinned by its digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    version: Version,
}

/// The part of a [`Reference`] that chooses an image of the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Version {
    Tag(String),
    Digest(Digest),
}

/// The error for a text that is no repository, tag or digest.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The text is no repository's name.
    #[error("`{name}` is not a repository: {reason}")]
    Repository {
        /// The text.
        name: String,
        /// The fault of the text.
        reason: String,
    },
    /// The text is no tag.
    #[error("`{0}` is not a tag: use up to 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`")]
    Tag(String),
    /// The text is no digest.
    #[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
    Digest(String),
}

impl Failure for ReferenceError {
    fn code(&self) -> Code {
        Code::ReferenceInvalid
    }
}

impl Repository {
    /// The registry's host, with the port if the name has one; `docker.io` if the name has no host.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.split().0
    }

    /// The path of the repository at the registry.
    #[must_use]
    pub fn path(&self) -> &str {
        self.split().1
    }

    /// The repository's name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn split(&self) -> (&str, &str) {
        match self.0.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("docker.io", &self.0),
        }
    }

    /// The fault that makes the text no repository's name, by the grammar that registries share; none if it is one.
    ///
    /// The grammar is checked by hand: its regular expression takes longer to compile than a small plan takes to make.
    fn fault(&self) -> Option<&'static str> {
        let name = &self.0;
        if name.bytes().any(|byte| byte == b'@') || last_component(name).bytes().any(|byte| byte == b':') {
            return Some("it carries a tag or a digest; leave it out");
        }
        let (host, path) = self.split();
        if !is_host(host) {
            return Some("what stands before its first `/` is not a host");
        }
        if !path.as_bytes().split(|byte| *byte == b'/').all(is_component) {
            if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return Some("repository name must be lowercase");
            }
            return Some("its path is not letters and digits that `/`, `.`, `_`, `__` or dashes join");
        }
        (path.len() > PATH_LENGTH).then_some("its path is longer than 255 characters")
    }

    /// The image with `tag` in this repository.
    pub fn tagged(&self, tag: &str) -> Result<Reference, ReferenceError> {
        check_tag(tag)?;
        Ok(Reference { repository: self.clone(), version: Version::Tag(tag.to_owned()) })
    }

    /// The image with `digest` in this repository.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Reference {
        Reference { repository: self.clone(), version: Version::Digest(digest.clone()) }
    }

    /// The image with this content key in this repository: the cache's entry at the registry.
    #[must_use]
    pub fn keyed(&self, key: &ImageKey) -> Reference {
        Reference { repository: self.clone(), version: Version::Tag(format!("key-{key}")) }
    }
}

/// Checks that a text can be a tag.
pub(crate) fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let starts_well = tag.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !starts_well || tag.len() > 128 || !tag.chars().all(allowed) {
        return Err(ReferenceError::Tag(tag.to_owned()));
    }
    Ok(())
}

impl Reference {
    /// The repository of the image.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, unless the reference is pinned by digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest(_) => None,
        }
    }

    /// The digest, when the reference is pinned.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match &self.version {
            Version::Tag(_) => None,
            Version::Digest(digest) => Some(digest),
        }
    }
}

impl Digest {
    /// The digest of bytes with this SHA-256.
    #[must_use]
    pub fn of_sha256(hash: [u8; 32]) -> Self {
        Self(format!("sha256:{}", hex::encode(hash)).into())
    }

    /// The digest as text, `sha256:...`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let repository = Self(name.into());
        match repository.fault() {
            None => Ok(repository),
            Some(reason) => {
                Err(ReferenceError::Repository { name: name.to_owned(), reason: reason.to_owned() })
            }
        }
    }
}

fn last_component(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// True if a text is a host, with or without a port: names joined by dots.
fn is_host(text: &str) -> bool {
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let name = |name: &[u8]| {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        !name.is_empty() && !name.starts_with(b"-") && !name.ends_with(b"-") && name.iter().all(inside)
    };
    port.is_none_or(digits) && host.as_bytes().split(|byte| *byte == b'.').all(name)
}

/// True if a text may stand between the slashes of a repository's path.
fn is_component(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separator = |run: &[u8]| matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-');
    let ends_well = text.first().is_some_and(letter) && text.last().is_some_and(letter);
    ends_well && text.chunk_by(|a, b| letter(a) == letter(b)).all(|run| letter(&run[0]) || separator(run))
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
        match hex {
            Some(hex) if hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => Ok(Self(text.into())),
            _ => Err(ReferenceError::Digest(text.to_owned())),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((repository, digest)) = text.split_once('@') {
            return Ok(Repository::from_str(repository)?.pinned(&digest.parse()?));
        }
        match text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => Repository::from_str(repository)?.tagged(tag),
            None => Repository::from_str(text)?.tagged("latest"),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(formatter, "{}:{tag}", self.repository),
            Version::Digest(digest) => write!(formatter, "{}@{digest}", self.repository),
        }
    }
}

as_text!(Repository, Digest, Reference);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_a_tag() {
        let reference: Reference = "127.0.0.1:5000/datatube/client".parse().unwrap();
        assert_eq!(reference.repository().registry(), "127.0.0.1:5000");
        assert_eq!(reference.repository().path(), "datatube/client");
        assert_eq!(reference.tag(), Some("latest"));
    }

    #[test]
    fn a_repository_carries_neither_tag_nor_digest() {
        assert!("example.com/a:b".parse::<Repository>().is_err());
        assert!("example.com/A".parse::<Repository>().is_err());
        assert!("example.com/a/b".parse::<Repository>().is_ok());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4000))]

        #[test]
        fn repositories_are_those_of_the_specification(
            name in "(localhost/|[aB.:1-]{0,6}/)?[aZ0._/:@-]{0,9}"
        ) {
            let bare = !name.contains('@') && !name.rsplit('/').next().unwrap().contains(':');
            // That library takes a host without a dot for one, and then for a part of the path.
            let host = name.split('/').next().unwrap();
            let lower = host.contains(['.', ':']) || !host.bytes().any(|byte| byte.is_ascii_uppercase());
            let expected = bare && lower && name.parse::<oci_spec::distribution::Reference>().is_ok();
            proptest::prop_assert_eq!(name.parse::<Repository>().is_ok(), expected, "{}", name);
        }
    }

    #[test]
    fn references_read_back_as_they_are_written() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        for text in ["example.com/a:b".to_owned(), format!("localhost:1/a/b@{digest}")] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        assert!("a@sha256:abc".parse::<Reference>().is_err());
        assert!("a:.b".parse::<Reference>().is_err());
    }
}
