//! The tags of a repository: [`Registry::tags`].

use reqwest::header::LINK;
use serde::Deserialize;

use super::transport::Hidden;
use super::{Call, Kind, Method, Registry, RegistryError, Repository, Scope};

/// The number of tags that one request asks for.
const PAGE: &str = "1000";

/// The largest number of pages that are read: a registry that links to a next page for ever is not followed for
/// ever.
const PAGES_LIMIT: usize = 100;

/// The largest page, in bytes: a tag has at most 128 characters.
const PAGE_LIMIT: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Page {
    /// The tags of the page. Some registries write `null` for no tags.
    tags: Option<Vec<String>>,
}

impl Registry {
    /// The tags of a repository, in the registry's order; empty where the repository does not exist.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        let listed = async {
            let host = self.host(repository)?;
            let invalid = |reason: &str| Kind::invalid(&host.name, reason);
            let mut tags: Vec<String> = Vec::new();
            for _ in 0..PAGES_LIMIT {
                let mut url = host.address(&format!("{}/tags/list", repository.path()));
                url.query_pairs_mut().append_pair("n", PAGE);
                if let Some(last) = tags.last() {
                    url.query_pairs_mut().append_pair("last", last);
                }
                let scope = Scope { repository: repository.path().to_owned(), push: false };
                let method = Method::GET;
                let call =
                    Call { host: &host, scope, method, url, accept: None, body: None, limit: PAGE_LIMIT };
                let Some(answer) = self.0.look(&call, Hidden::IsMissing).await? else { return Ok(tags) };
                let page: Page =
                    serde_json::from_slice(&answer.body).map_err(|_| invalid("no list of tags"))?;
                tags.extend(page.tags.unwrap_or_default());
                // By the distribution specification, a page that is not the last one links to the next.
                if !answer.headers.contains_key(LINK) {
                    return Ok(tags);
                }
            }
            Err(invalid("more than a hundred pages of tags"))
        };
        listed.await.map_err(|kind: Kind| kind.during(format!("list the tags of `{repository}`")))
    }
}
