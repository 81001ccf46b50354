//! Manifests and tags: read, written and named again byte for byte, so that a digest stays what it is.

use super::{
    Answer, Call, Digest, Host, Kind, Method, Reference, Registry, RegistryError, Scope, StatusCode,
    digest_of,
};
use crate::http::legible;

/// The largest manifest, in bytes: the limit that the distribution specification lets registries set.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// The media type of an image's manifest by the OCI.
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The manifests that dtbuild understands. All in one header: some registries read only the first.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A manifest as the registry has it.
pub(super) struct Manifest {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

impl Registry {
    /// Gives what `source` names another tag in its repository; the digest that the tag names now.
    ///
    /// The manifest travels as it is, so the digest cannot change. Nothing is sent when the tag is there.
    pub async fn move_tag(&self, source: &Reference, tag: &str) -> Result<Digest, RegistryError> {
        let moved = async {
            let repository = source.repository();
            let target = repository.tagged(tag).map_err(|error| Kind::Name(error.to_string()))?;
            let host = self.host(repository)?;
            let missing = || Kind::NotFound { name: source.to_string() };
            if let Some(there) = self.manifest_digest(&host, repository.path(), tag).await? {
                let wanted = match source.digest() {
                    Some(digest) => Some(digest.clone()),
                    None => self.manifest_digest(&host, repository.path(), &version(source)).await?,
                };
                // A tag of the wanted digest proves that the manifest is there, too.
                if wanted.ok_or_else(missing)? == there {
                    return Ok(there);
                }
            }
            let manifest = self.manifest(&host, source).await?.ok_or_else(missing)?;
            self.put_manifest(&host, &target, &manifest).await?;
            Ok(manifest.digest)
        };
        moved.await.map_err(|kind: Kind| kind.during(format!("tag `{source}` as `{tag}`")))
    }

    /// The digest of a manifest by tag or digest; none where the registry has no such thing.
    pub(super) async fn manifest_digest(
        &self,
        host: &Host,
        path: &str,
        version: &str,
    ) -> Result<Option<Digest>, Kind> {
        let answer = self.0.send(&call(host, path, version, Method::HEAD)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let pinned: Option<Digest> = version.parse().ok();
        let digest = match stated_digest(&answer) {
            Some(digest) => digest,
            None => match self.get(host, path, version).await? {
                Some(manifest) => manifest.digest,
                None => return Ok(None),
            },
        };
        if pinned.is_some_and(|pinned| pinned != digest) {
            return Err(mismatch(host, &digest));
        }
        Ok(Some(digest))
    }

    /// The manifest that a reference names, its digest checked.
    pub(super) async fn manifest(
        &self,
        host: &Host,
        reference: &Reference,
    ) -> Result<Option<Manifest>, Kind> {
        self.get(host, reference.repository().path(), &version(reference)).await
    }

    async fn get(&self, host: &Host, path: &str, version: &str) -> Result<Option<Manifest>, Kind> {
        let answer = self.0.send(&call(host, path, version, Method::GET)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let digest = digest_of(&answer.body);
        let asked: Option<Digest> = version.parse().ok();
        if let Some(expected) = asked.or_else(|| stated_digest(&answer))
            && expected != digest
        {
            return Err(mismatch(host, &digest));
        }
        let media_type = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if !ACCEPT.split(", ").any(|known| known == media_type) {
            let reason = format!("a manifest of type `{}`", legible(media_type, 100));
            return Err(Kind::invalid(&host.name, reason));
        }
        Ok(Some(Manifest { digest, media_type: media_type.to_owned(), bytes: answer.body }))
    }

    /// Puts a manifest under a tag, and checks that the registry has it under the digest that it must have.
    pub(super) async fn put_manifest(
        &self,
        host: &Host,
        target: &Reference,
        manifest: &Manifest,
    ) -> Result<(), Kind> {
        let mut put = call(host, target.repository().path(), &version(target), Method::PUT);
        put.scope.push = true;
        put.body = Some((&manifest.media_type, manifest.bytes.clone()));
        let answer = self.0.send(&put).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(Kind::NotFound { name: target.repository().to_string() });
        }
        match stated_digest(&answer) {
            Some(digest) if digest != manifest.digest => Err(mismatch(host, &digest)),
            _ => Ok(()),
        }
    }
}

/// The tag or digest of a reference, as an address ends with it.
pub(super) fn version(reference: &Reference) -> String {
    let digest = reference.digest().map(ToString::to_string);
    digest.or_else(|| reference.tag().map(ToOwned::to_owned)).unwrap_or_default()
}

fn call<'a>(host: &'a Host, path: &str, version: &str, method: Method) -> Call<'a> {
    Call {
        host,
        scope: Scope { repository: path.to_owned(), push: false },
        method,
        url: host.address(&format!("{path}/manifests/{version}")),
        accept: Some(ACCEPT),
        body: None,
        limit: MANIFEST_LIMIT,
    }
}

/// The digest that the answer's header states, if it states a valid one.
fn stated_digest(answer: &Answer) -> Option<Digest> {
    answer.headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

fn mismatch(host: &Host, digest: &Digest) -> Kind {
    Kind::invalid(&host.name, format!("a manifest with another digest, `{digest}`"))
}
