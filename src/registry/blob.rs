//! Small blobs, which are read whole, checked against their digest, and written in one piece. Start with
//! [`Registry::pull_blob`].

use reqwest::Url;
use reqwest::header::LOCATION;

use super::transport::Reply;
use super::{
    Call, Digest, Host, Kind, Method, Registry, RegistryError, Repository, Scope, StatusCode, digest_of,
};

impl Registry {
    /// A blob of at most `limit` bytes, checked against its digest; none when the registry has no such blob.
    pub async fn pull_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let pulled = async {
            let host = self.host(repository)?;
            self.blob(&host, repository, digest, limit).await
        };
        pulled.await.map_err(|kind: Kind| kind.during(format!("pull `{digest}` from `{repository}`")))
    }

    /// The blob of [`pull_blob`](Self::pull_blob), from a host that may be a mirror.
    pub(super) async fn blob(
        &self,
        host: &Host,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Kind> {
        let mut get = call(host, repository, digest.as_str(), Method::GET);
        get.limit = limit;
        let Some(answer) = self.0.send(&get).await? else { return Ok(None) };
        if digest_of(&answer.body) != *digest {
            let reason = format!("the blob `{digest}` has another content");
            return Err(Kind::invalid(&host.name, reason));
        }
        Ok(Some(answer.body))
    }

    /// Checks that this user may push to a repository, by beginning an upload and cancelling it.
    pub async fn check_push(&self, repository: &Repository) -> Result<(), RegistryError> {
        let checked = async {
            let host = self.host(repository)?;
            let start = upload(&host, repository);
            let url = self.start_upload(&start, repository).await?;
            // Not every registry cancels uploads on request; the others forget an upload after some days.
            let _ = self.0.send(&Call { url, method: Method::DELETE, ..start }).await;
            Ok(())
        };
        checked.await.map_err(|kind: Kind| kind.during(format!("begin a push to `{repository}`")))
    }

    /// Pushes a blob to a repository, unless the repository has the blob.
    pub(super) async fn push_blob(
        &self,
        host: &Host,
        repository: &Repository,
        bytes: &[u8],
    ) -> Result<Digest, Kind> {
        let digest = digest_of(bytes);
        let head = call(host, repository, digest.as_str(), Method::HEAD);
        // A user who may not read may still be allowed to push: the upload shows this.
        if let Reply::Answer(_) = self.0.ask(&head).await? {
            return Ok(digest);
        }
        let start = upload(host, repository);
        let mut url = self.start_upload(&start, repository).await?;
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        let body = Some(("application/octet-stream", bytes.to_owned()));
        let put = Call { url, body, method: Method::PUT, ..start };
        let done = self.0.send(&put).await?.map(|answer| answer.status);
        // Another status may be a proxy's page in front of the registry: a blob counts as sent only when it is found.
        if done != Some(StatusCode::CREATED) && !matches!(self.0.ask(&head).await?, Reply::Answer(_)) {
            return Err(Kind::invalid(&host.name, "an upload that it did not finish"));
        }
        Ok(digest)
    }

    /// Begins an upload, and returns the address to send the bytes to.
    async fn start_upload(&self, start: &Call<'_>, repository: &Repository) -> Result<Url, Kind> {
        let missing = || Kind::NotFound { name: repository.to_string() };
        let started = self.0.send(start).await?.ok_or_else(missing)?;
        let invalid = |reason: &str| Kind::invalid(&start.host.name, reason);
        let location = started.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| started.url.join(location).ok());
        let url = url.ok_or_else(|| invalid("no address to upload to"))?;
        if !self.0.client.plain().accept(&url) {
            return Err(invalid("an address without TLS to upload to"));
        }
        Ok(url)
    }
}

fn upload<'a>(host: &'a Host, repository: &Repository) -> Call<'a> {
    let mut start = call(host, repository, "uploads/", Method::POST);
    start.scope.push = true;
    start
}

fn call<'a>(host: &'a Host, repository: &Repository, tail: &str, method: Method) -> Call<'a> {
    let path = repository.path();
    Call {
        host,
        scope: Scope { repository: path.to_owned(), push: false },
        method,
        url: host.address(&format!("{path}/blobs/{tail}")),
        accept: None,
        body: None,
        limit: 64 * 1024,
    }
}
