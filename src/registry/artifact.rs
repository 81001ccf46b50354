//! Artifacts: one document of dtbuild's own under a tag, beside the images. Start with [`Artifact`].
//!
//! By the OCI's guidance for artifacts
//! (<https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage>):
//! a manifest with an `artifactType`, the empty config and one layer. A registry from before that guidance
//! that refuses such a manifest gets the older form, in which the config's media type says what it is.

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, OCI_MANIFEST};
use super::{Digest, Kind, Reference, Registry, RegistryError, digest_of};
use crate::http::legible;

/// The config of an artifact that needs none, and its only content.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// A document that a registry keeps under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of its manifest: it changes when, and only when, the document does.
    pub digest: Digest,
    /// The document.
    pub content: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest {
    schema_version: u32,
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Registry {
    /// Puts a document of a type under a tag; the digest of its manifest.
    pub async fn push_artifact(
        &self,
        reference: &Reference,
        artifact_type: &str,
        content: &[u8],
    ) -> Result<Digest, RegistryError> {
        let pushed = async {
            let repository = reference.repository();
            let host = self.host(repository)?;
            self.push_blob(&host, repository, EMPTY).await?;
            self.push_blob(&host, repository, content).await?;
            let manifest = manifest_of(artifact_type, content, true)?;
            match self.put_manifest(&host, reference, &manifest).await {
                Err(Kind::Rejected { status: 400 | 415, .. }) => {
                    let older = manifest_of(artifact_type, content, false)?;
                    self.put_manifest(&host, reference, &older).await?;
                    Ok(older.digest)
                }
                done => done.map(|()| manifest.digest),
            }
        };
        pushed.await.map_err(|kind: Kind| kind.during(format!("write `{reference}`")))
    }

    /// The document of a type under a reference, of at most `limit` bytes; none where there is nothing.
    pub async fn pull_artifact(
        &self,
        reference: &Reference,
        artifact_type: &str,
        limit: usize,
    ) -> Result<Option<Artifact>, RegistryError> {
        let found = async {
            let host = self.host(reference.repository())?;
            let Some(manifest) = self.manifest(&host, reference).await? else { return Ok(None) };
            let invalid = |reason: String| Kind::invalid(&host.name, reason);
            let layer = only_layer(&manifest.bytes, artifact_type).map_err(invalid)?;
            if layer.size > limit as u64 {
                let reason = format!("`{reference}` holds {} bytes; at most {limit} are read", layer.size);
                return Err(Kind::invalid(&host.name, reason));
            }
            Ok(Some((manifest.digest, layer.digest)))
        };
        let failed = |kind: Kind| kind.during(format!("read `{reference}`"));
        let Some((digest, blob)) = found.await.map_err(failed)? else { return Ok(None) };
        let content = self.pull_blob(reference.repository(), &blob, limit).await?;
        let content =
            content.ok_or_else(|| failed(Kind::NotFound { name: format!("{reference}, blob {blob}") }))?;
        Ok(Some(Artifact { digest, content }))
    }
}

fn manifest_of(artifact_type: &str, content: &[u8], typed: bool) -> Result<Manifest, Kind> {
    let describe = |media_type: &str, bytes: &[u8]| -> Result<Descriptor, Kind> {
        let (digest, size) = (digest_of(bytes), bytes.len() as u64);
        Ok(Descriptor { media_type: media_type.to_owned(), digest, size })
    };
    let manifest = ArtifactManifest {
        schema_version: 2,
        media_type: Some(OCI_MANIFEST.to_owned()),
        artifact_type: typed.then(|| artifact_type.to_owned()),
        config: describe(if typed { EMPTY_TYPE } else { artifact_type }, EMPTY)?,
        layers: vec![describe(artifact_type, content)?],
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|error| Kind::Name(error.to_string()))?;
    Ok(Manifest { digest: digest_of(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes })
}

/// The layer of an artifact of this type, or why the manifest is none.
fn only_layer(manifest: &[u8], artifact_type: &str) -> Result<Descriptor, String> {
    let manifest: ArtifactManifest = serde_json::from_slice(manifest)
        .map_err(|_| "what the tag names is no artifact, but perhaps an image".to_owned())?;
    let stated = manifest.artifact_type.as_deref().unwrap_or(&manifest.config.media_type);
    if stated != artifact_type {
        let stated = legible(stated, 100);
        return Err(format!("what the tag names is of type `{stated}`, not `{artifact_type}`"));
    }
    let mut layers = manifest.layers;
    match (layers.pop(), layers.is_empty()) {
        (Some(layer), true) => Ok(layer),
        _ => Err("the artifact has not exactly one layer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/vnd.example.v1+json";

    #[test]
    fn both_forms_are_read() {
        for typed in [true, false] {
            let manifest = manifest_of(TYPE, b"[]", typed).unwrap();
            let layer = only_layer(&manifest.bytes, TYPE).unwrap();
            assert_eq!((layer.digest, layer.size), (digest_of(b"[]"), 2));
        }
    }

    #[test]
    fn an_artifact_of_another_type_is_refused() {
        let manifest = manifest_of("application/vnd.other", b"[]", true).unwrap();
        let error = only_layer(&manifest.bytes, TYPE).unwrap_err();
        assert!(error.contains("`application/vnd.other`"), "{error}");
    }

    #[test]
    fn the_empty_config_is_the_one_of_the_specification() {
        let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest_of(EMPTY).as_str(), digest);
    }
}
