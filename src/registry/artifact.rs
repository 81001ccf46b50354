//! Artifacts: one document of dtbuild's own under a tag, beside the images. Start with [`Artifact`].
//!
//! The format follows the OCI's guidance for artifacts
//! (<https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage>):
//! a manifest with an `artifactType`, the empty config and one layer. A registry that takes only the media types that
//! it knows (GitLab's, and registries from before that guidance) gets an image with one layer and an annotation with
//! the type. Artifacts with their type as the config's media type, which dtbuild wrote once, are still read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, OCI_MANIFEST};
use super::quirks::Quirk;
use super::transport::Hidden;
use super::{Digest, Kind, Reference, Registry, RegistryError, digest_of};
use crate::http::legible;

/// The media type and the only content of the config of an artifact that needs none.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// The media types and the config of an artifact that looks like an image; every registry takes these types.
const IMAGE_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const IMAGE: &[u8] =
    br#"{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// The annotation that states the type of an artifact that looks like an image.
const ANNOTATION: &str = "org.dtbuild.artifact-type";

/// The statuses of a registry that refuses a manifest because of its content.
const REFUSALS: [u16; 4] = [400, 406, 415, 422];

/// A document that a registry keeps under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of the artifact's manifest: the digest changes when, and only when, the document does.
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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// The form in which an artifact states its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The type is the manifest's `artifactType`.
    Artifact,
    /// The type is an annotation of a manifest that is otherwise an image's.
    Image,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Registry {
    /// Puts a document of a type under a tag, and returns the digest of the artifact's manifest.
    pub async fn push_artifact(
        &self,
        reference: &Reference,
        artifact_type: &str,
        content: &[u8],
    ) -> Result<Digest, RegistryError> {
        let pushed = async {
            let repository = reference.repository();
            let host = self.host(repository)?;
            self.push_blob(&host, repository, content).await?;
            if !self.0.quirks.has(&host, Quirk::NoArtifacts) {
                self.push_blob(&host, repository, EMPTY).await?;
                let manifest = manifest_of(artifact_type, content, Form::Artifact)?;
                match self.put_manifest(&host, reference, &manifest).await {
                    Err(Kind::Rejected { status, .. }) if REFUSALS.contains(&status) => {}
                    done => return done.map(|()| manifest.digest),
                }
            }
            self.push_blob(&host, repository, IMAGE).await?;
            let manifest = manifest_of(artifact_type, content, Form::Image)?;
            self.put_manifest(&host, reference, &manifest).await?;
            self.0.quirks.note(&host, Quirk::NoArtifacts);
            Ok(manifest.digest)
        };
        pushed.await.map_err(|kind: Kind| kind.during(format!("write `{reference}`")))
    }

    /// The document of a type under a reference, of at most `limit` bytes; none where the reference does not
    /// exist.
    pub async fn pull_artifact(
        &self,
        reference: &Reference,
        artifact_type: &str,
        limit: usize,
    ) -> Result<Option<Artifact>, RegistryError> {
        let found = async {
            let host = self.host(reference.repository())?;
            let Some(manifest) = self.manifest(&host, reference, Hidden::IsMissing).await? else {
                return Ok(None);
            };
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

fn manifest_of(artifact_type: &str, content: &[u8], form: Form) -> Result<Manifest, Kind> {
    let describe = |media_type: &str, bytes: &[u8]| -> Result<Descriptor, Kind> {
        let (digest, size) = (digest_of(bytes), bytes.len() as u64);
        Ok(Descriptor { media_type: media_type.to_owned(), digest, size })
    };
    let (config, layer) = match form {
        Form::Artifact => (describe(EMPTY_TYPE, EMPTY)?, artifact_type),
        Form::Image => (describe(IMAGE_TYPE, IMAGE)?, LAYER_TYPE),
    };
    let annotation = (form == Form::Image).then(|| (ANNOTATION.to_owned(), artifact_type.to_owned()));
    let manifest = ArtifactManifest {
        schema_version: 2,
        media_type: Some(OCI_MANIFEST.to_owned()),
        artifact_type: (form == Form::Artifact).then(|| artifact_type.to_owned()),
        config,
        layers: vec![describe(layer, content)?],
        annotations: annotation.into_iter().collect(),
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|error| Kind::Name(error.to_string()))?;
    Ok(Manifest { digest: digest_of(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes })
}

/// The only layer of an artifact of this type, or the reason why the manifest is no such artifact.
fn only_layer(manifest: &[u8], artifact_type: &str) -> Result<Descriptor, String> {
    let manifest: ArtifactManifest = serde_json::from_slice(manifest)
        .map_err(|_| "what the tag names is no artifact, but perhaps an image".to_owned())?;
    let annotated = manifest.annotations.get(ANNOTATION);
    let stated = manifest.artifact_type.as_ref().or(annotated).unwrap_or(&manifest.config.media_type);
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
    fn every_form_is_read() {
        let older = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{TYPE}","digest":"{0}","size":2}},
                "layers":[{{"mediaType":"{TYPE}","digest":"{1}","size":2}}]}}"#,
            digest_of(EMPTY),
            digest_of(b"[]"),
        );
        let forms = [Form::Artifact, Form::Image].map(|form| manifest_of(TYPE, b"[]", form).unwrap().bytes);
        for manifest in forms.into_iter().chain([older.into_bytes()]) {
            let layer = only_layer(&manifest, TYPE).unwrap();
            assert_eq!((layer.digest, layer.size), (digest_of(b"[]"), 2));
        }
    }

    #[test]
    fn an_artifact_of_another_type_is_refused() {
        let manifest = manifest_of("application/vnd.other", b"[]", Form::Artifact).unwrap();
        let error = only_layer(&manifest.bytes, TYPE).unwrap_err();
        assert!(error.contains("`application/vnd.other`"), "{error}");
    }

    #[test]
    fn the_empty_config_is_the_one_of_the_specification() {
        let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest_of(EMPTY).as_str(), digest);
    }
}
