//! The content key of an image.
//!
//! Start with [`KeyFields`], whose fields are the whole answer to the question what can alter the image;
//! [`KeyFields::key`] folds the fields into an [`ImageKey`].
//!
//! The encoding that is hashed has, per field, the field's name and then its value. A text is its length in
//! bytes (`u64`, little-endian) and its bytes; a list or map is its length and its items; an option is a
//! byte, 0 or 1, and the value. So no two different [`KeyFields`] have the same encoding. The BLAKE3 context
//! [`CONTEXT`] keeps these digests apart from any other use of BLAKE3.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod shared;
#[cfg(test)]
mod tests;

pub use shared::SharedFields;

/// The version of [`KeyFields`]: of the meaning and the encoding of its fields.
///
/// Raise the version whenever the meaning or the encoding changes: every image is then built once more.
pub const SCHEMA: u32 = 1;

/// The context string of BLAKE3's key derivation mode.
pub const CONTEXT: &str = "dtbuild image key v1";

/// The fields of a content key: everything that can alter an image, and nothing else.
///
/// No field, on purpose, are times, umask, owner, the environment's name, the commit, the path of the
/// checkout, the machine, and the values of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyFields {
    /// The version of this struct's meaning and encoding: [`SCHEMA`].
    #[schemars(description = "The version of the meaning and the encoding of these fields.")]
    pub schema: u32,
    /// BLAKE3 (hex) of the Dockerfile's bytes, its `# syntax=` line included.
    pub dockerfile: String,
    /// The target stage of the Dockerfile; none for the last stage.
    pub target: Option<String>,
    /// The platforms that the image is built for, sorted; empty for the engine's own platform.
    pub platforms: Vec<String>,
    /// The network mode of `RUN`; none for the default mode.
    pub network: Option<String>,
    /// The build arguments that the Dockerfile declares, with their values.
    pub args: BTreeMap<String, String>,
    /// The digest of every base image that the reachable stages use, by the base image's name in the
    /// Dockerfile. An empty digest stands for "by name alone" (`bases = "name"`).
    pub bases: BTreeMap<String, String>,
    /// The ids of secrets and ssh agents with their declared versions; never their values.
    pub secrets: BTreeMap<String, String>,
    /// The digest (hex) of the input tree of each context: `""` is the main context, any other name a named
    /// context.
    pub contexts: BTreeMap<String, String>,
    /// The digest (hex) of the declared inputs (`paths`) outside what the Dockerfile copies.
    pub paths: Option<String>,
    /// The image's attestations (`provenance`, `sbom`), each with what makes it: the provenance's mode, the
    /// generator of the SBOM.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attestations: BTreeMap<String, String>,
    /// The keys of the images of `build.toml` that this image is built from, by image name.
    pub images: BTreeMap<String, ImageKey>,
}

impl KeyFields {
    /// The digest over all fields. The order and repetition of `platforms` do not matter.
    #[must_use]
    pub fn key(&self) -> ImageKey {
        // Taken apart by name, so that a new field cannot be forgotten here.
        let Self {
            schema,
            dockerfile,
            target,
            platforms,
            network,
            args,
            bases,
            secrets,
            contexts,
            paths,
            attestations,
            images,
        } = self;
        let platforms: BTreeSet<&String> = platforms.iter().collect();

        let mut encoder = Encoder(blake3::Hasher::new_derive_key(CONTEXT));
        encoder.field("schema").bytes(&schema.to_le_bytes());
        encoder.field("dockerfile").text(dockerfile);
        encoder.field("target").option(target.as_deref());
        encoder.field("platforms").count(platforms.len());
        for platform in platforms {
            encoder.text(platform);
        }
        encoder.field("network").option(network.as_deref());
        encoder.field("args").map(args);
        encoder.field("bases").map(bases);
        encoder.field("secrets").map(secrets);
        encoder.field("contexts").map(contexts);
        encoder.field("paths").option(paths.as_deref());
        // The field was added later, and is left out without attestations, so that older keys did not change.
        if !attestations.is_empty() {
            encoder.field("attestations").map(attestations);
        }
        encoder.field("images").count(images.len());
        for (name, ImageKey(key)) in images {
            encoder.text(name).bytes(key);
        }
        ImageKey(*encoder.0.finalize().as_bytes())
    }
}

/// The writer of the canonical encoding, straight into the digest.
struct Encoder(blake3::Hasher);

impl Encoder {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.update(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn count(&mut self, count: usize) -> &mut Self {
        self.0.update(&(count as u64).to_le_bytes());
        self
    }

    fn field(&mut self, name: &str) -> &mut Self {
        self.text(name)
    }

    fn option(&mut self, text: Option<&str>) -> &mut Self {
        self.0.update(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
        self
    }

    fn map(&mut self, map: &BTreeMap<String, String>) -> &mut Self {
        self.count(map.len());
        for (name, value) in map {
            self.text(name).text(value);
        }
        self
    }
}

/// The content key of an image: the BLAKE3 digest over everything that the image is made of. Shown as 64 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKey([u8; 32]);

impl ImageKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
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

/// The error for a text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a content key: expected 64 lower-case hexadecimal digits")]
pub struct ParseKeyError(String);

impl std::str::FromStr for ImageKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseKeyError(text.to_owned());
        let mut key = [0; 32];
        if text.len() != 2 * key.len() || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong());
        }
        faster_hex::hex_decode(text.as_bytes(), &mut key).map_err(|_| wrong())?;
        Ok(Self(key))
    }
}

impl Serialize for ImageKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl JsonSchema for ImageKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImageKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl<'de> Deserialize<'de> for ImageKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer)
    }
}
