//! The address of a repository's remote. Start with [`Repository::remote_url`].

use gix::remote::Direction;
use gix::url::Scheme;

use super::Repository;

impl Repository {
    /// The address that the repository is fetched from, without user and password. None when there is no remote, or
    /// when the remote is a folder, whose path would differ between machines.
    #[must_use]
    pub fn remote_url(&self) -> Option<String> {
        let remote = self.inner.find_default_remote(Direction::Fetch)?.ok()?;
        let mut url = remote.url(Direction::Fetch)?.clone();
        if url.scheme == Scheme::File || url.host().is_none() {
            return None;
        }
        url.set_password(None);
        // The user of an ssh address is the service's account (`git@`), that of https is a credential.
        if url.scheme != Scheme::Ssh {
            url.set_user(None);
        }
        Some(url.to_bstring().to_string())
    }
}
