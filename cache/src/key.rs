//! The content key of an image.
//!
//! Start with [`KeyFields`], whose fields are the whole answer to "what can alter the image";
//! [`KeyFields::key`] folds them into an [`ImageKey`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that can alter an image, and nothing else.
///
/// Not here, on purpose: times, umask, owner, the environment's name, the commit, the path of the
/// checkout, the machine, and the values of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFields {
    /// The version of this struct's meaning and encoding.
    pub schema: u32,
    /// BLAKE3 (hex) of the Dockerfile's bytes, its `# syntax=` line included.
    pub dockerfile: String,
    /// The target stage; none for the last.
    pub target: Option<String>,
    /// The platforms, sorted; empty for the engine's own.
    pub platforms: Vec<String>,
    /// The network mode of `RUN`, when it is not the default.
    pub network: Option<String>,
    /// The build arguments that the Dockerfile declares, with their values.
    pub args: BTreeMap<String, String>,
    /// The digest of every base image that the reachable stages use, by the name written there.
    /// The empty string stands for "by name alone" (`bases = "name"`).
    pub bases: BTreeMap<String, String>,
    /// The ids of secrets and ssh agents with their declared versions; never their values.
    pub secrets: BTreeMap<String, String>,
    /// The input tree's digest (hex) per context: `""` for the main one, else the named context.
    pub contexts: BTreeMap<String, String>,
    /// The digest (hex) of the declared inputs (`paths`) outside what the Dockerfile copies.
    pub paths: Option<String>,
    /// The keys of the images of `build.toml` that this one is built from, by image name.
    pub images: BTreeMap<String, ImageKey>,
}

/// The BLAKE3 digest that names an image by what it is made of; 64 hex digits when shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKey([u8; 32]);

impl ImageKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Display for ImageKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl std::fmt::Debug for ImageKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ImageKey({self})")
    }
}

/// The text was not 64 lower-case hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a content key: expected 64 hexadecimal digits")]
pub struct ParseKeyError(String);

impl std::str::FromStr for ImageKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| ParseKeyError(text.to_owned()))
    }
}

impl Serialize for ImageKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
