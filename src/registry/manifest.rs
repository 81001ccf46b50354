//! Manifests and tags. A manifest is read and written byte for byte, so that its digest never changes. Start with
//! [`Registry::move_tag`].

use serde::Deserialize;

use super::quirks::Quirk;
use super::transport::{Hidden, Refusal, Reply};
use super::{
    Answer, Call, Digest, Host, Kind, Method, Reference, Registry, RegistryError, Scope, StatusCode,
    digest_of,
};
use crate::http::legible;

/// The largest manifest, in bytes: the limit that the distribution specification allows registries to set.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// The media type of an image's manifest in the OCI's format.
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of an image's index in the OCI's format.
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The media types of the manifests that dtbuild understands, in one header: some registries read only the
/// first header.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A manifest with the bytes that the registry has.
pub(super) struct Manifest {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// The place of a manifest: a tag or digest in a repository of a registry.
struct Place<'a> {
    host: &'a Host,
    path: &'a str,
    version: &'a str,
}

impl Registry {
    /// Puts the manifest that `source` names under another tag of its repository, and returns the digest of the
    /// manifest.
    ///
    /// The manifest is sent byte for byte, so the digest cannot change. Nothing is sent when the tag already
    /// names the manifest.
    pub async fn move_tag(&self, source: &Reference, tag: &str) -> Result<Digest, RegistryError> {
        let moved = async {
            let repository = source.repository();
            let target = repository.tagged(tag).map_err(|error| Kind::Name(error.to_string()))?;
            let host = self.host(repository)?;
            let missing = || Kind::NotFound { name: source.to_string() };
            let digest = async |version: &str| {
                self.manifest_digest(&host, repository.path(), version, Hidden::IsRefused).await
            };
            if let Some(there) = digest(tag).await? {
                let wanted = match source.digest() {
                    Some(digest) => Some(digest.clone()),
                    None => digest(&version(source)).await?,
                };
                // A tag of the wanted digest proves that the manifest is there, too.
                if wanted.ok_or_else(missing)? == there {
                    return Ok(there);
                }
            }
            let manifest = self.manifest(&host, source, Hidden::IsRefused).await?.ok_or_else(missing)?;
            self.put_manifest(&host, &target, &manifest).await?;
            Ok(manifest.digest)
        };
        moved.await.map_err(|kind: Kind| kind.during(format!("tag `{source}` as `{tag}`")))
    }

    /// The digest of a manifest by tag or digest; none where the registry has no such manifest.
    ///
    /// A 404 to HEAD is the ordinary answer for what is not there, and the answer of some proxies to any HEAD. So it
    /// counts once the registry has answered HEAD with some manifest; until then GET is asked as well. In a run that
    /// finds images at the registry this costs a request or two, in one that finds none a request per image that it
    /// is about to build.
    pub(super) async fn manifest_digest(
        &self,
        host: &Host,
        path: &str,
        version: &str,
        hidden: Hidden,
    ) -> Result<Option<Digest>, Kind> {
        let counts = self.0.quirks.has(host, Quirk::KnowsHead);
        self.digest_at(&Place { host, path, version }, hidden, counts).await
    }

    /// The digest of a manifest that ought to be there, such as a base image's: a 404 to HEAD never counts, because a
    /// proxy may fetch what it lacks for GET alone.
    pub(super) async fn wanted_digest(
        &self,
        host: &Host,
        path: &str,
        version: &str,
    ) -> Result<Option<Digest>, Kind> {
        self.digest_at(&Place { host, path, version }, Hidden::IsRefused, false).await
    }

    async fn digest_at(
        &self,
        place: &Place<'_>,
        hidden: Hidden,
        missing_counts: bool,
    ) -> Result<Option<Digest>, Kind> {
        let Place { host, path, version } = *place;
        let got = async || Ok(self.get(host, path, version, hidden).await?.map(|manifest| manifest.digest));
        if self.0.quirks.has(host, Quirk::NoHead) {
            return got().await;
        }
        let answer = match self.0.ask(&call(host, path, version, Method::HEAD)).await? {
            Reply::Answer(answer) => answer,
            Reply::Missing if missing_counts => return Ok(None),
            Reply::Refused(Refusal { kind, may_hide: false }) => return Err(kind),
            // A registry may refuse HEAD alone, which GET shows; and the answer to HEAD has no reason in it.
            Reply::Missing | Reply::Refused(_) | Reply::Failed(Kind::Rejected { .. }) => {
                let found = got().await?;
                if found.is_some() {
                    self.0.quirks.note(host, Quirk::NoHead);
                }
                return Ok(found);
            }
            Reply::Failed(kind) => return Err(kind),
        };
        self.0.quirks.note(host, Quirk::KnowsHead);
        let Some(digest) = stated_digest(&answer) else { return got().await };
        let pinned: Option<Digest> = version.parse().ok();
        if pinned.is_some_and(|pinned| pinned != digest) {
            return Err(mismatch(host, &digest));
        }
        Ok(Some(digest))
    }

    /// The manifest that a reference names, with a checked digest; none where the registry has no such
    /// manifest.
    pub(super) async fn manifest(
        &self,
        host: &Host,
        reference: &Reference,
        hidden: Hidden,
    ) -> Result<Option<Manifest>, Kind> {
        self.get(host, reference.repository().path(), &version(reference), hidden).await
    }

    async fn get(
        &self,
        host: &Host,
        path: &str,
        version: &str,
        hidden: Hidden,
    ) -> Result<Option<Manifest>, Kind> {
        let get = call(host, path, version, Method::GET);
        let Some(answer) = self.0.look(&get, hidden).await? else { return Ok(None) };
        let digest = digest_of(&answer.body);
        let asked: Option<Digest> = version.parse().ok();
        if let Some(expected) = asked.or_else(|| stated_digest(&answer))
            && expected != digest
        {
            return Err(mismatch(host, &digest));
        }
        let media_type = media_type(&answer).map_err(|reason| Kind::invalid(&host.name, reason))?;
        Ok(Some(Manifest { digest, media_type, bytes: answer.body }))
    }

    /// Puts a manifest under a tag, and checks that the registry has the manifest under its digest.
    pub(super) async fn put_manifest(
        &self,
        host: &Host,
        target: &Reference,
        manifest: &Manifest,
    ) -> Result<(), Kind> {
        let (path, version) = (target.repository().path(), version(target));
        let mut put = call(host, path, &version, Method::PUT);
        put.scope.push = true;
        put.body = Some((&manifest.media_type, manifest.bytes.clone()));
        let answer = match self.0.send(&put).await {
            Ok(answer) => answer.ok_or_else(|| Kind::NotFound { name: target.repository().to_string() })?,
            Err(kind) => return Err(kind.of_tag(&version)),
        };
        let digest = match stated_digest(&answer) {
            None if answer.status == StatusCode::NO_CONTENT => return Ok(()),
            // The answer may be a proxy's page in front of the registry: only a tag that can be read was written.
            None => self.wanted_digest(host, path, &version).await?,
            digest => digest,
        };
        match digest {
            Some(digest) if digest == manifest.digest => Ok(()),
            Some(digest) => Err(mismatch(host, &digest)),
            None => {
                let status = answer.status.as_u16();
                let reason = format!("it took a manifest with status {status} and does not have it");
                Err(Kind::invalid(&host.name, reason))
            }
        }
    }
}

/// The tag or digest of a reference, as an address ends with it; the digest where the reference has both.
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

/// The digest that the answer's header states; none where the header is missing or invalid.
fn stated_digest(answer: &Answer) -> Option<Digest> {
    answer.headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// The media type of a manifest: the type in the answer's header, else the type that the manifest states or
/// looks like.
fn media_type(answer: &Answer) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Own {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
    }
    let is_known = |media_type: &str| ACCEPT.split(", ").any(|known| known == media_type);
    let stated = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
    let stated = stated.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if is_known(stated) {
        return Ok(stated.to_owned());
    }
    let own = match serde_json::from_slice(&answer.body) {
        Ok(Own { media_type: Some(own), .. }) => own,
        Ok(Own { manifests: Some(_), .. }) => OCI_INDEX.to_owned(),
        Ok(Own { config: Some(_), .. }) => OCI_MANIFEST.to_owned(),
        _ => stated.to_owned(),
    };
    if is_known(&own) { Ok(own) } else { Err(format!("a manifest of type `{}`", legible(&own, 100))) }
}

fn mismatch(host: &Host, digest: &Digest) -> Kind {
    Kind::invalid(&host.name, format!("a manifest with another digest, `{digest}`"))
}
