//! Comparisons: the images that a range of commits would rebuild, by the keys of both ends. Start with
//! [`compare`].

use super::{Base, Detail, Gathered, Query, gather};
use crate::clients::{self, Clients};
use crate::config::ImageName;
use crate::error::{Code, Error, Result};
use crate::process::Timings;
use crate::workspace::{Files, Workspace};

/// Compares the images of two states of a repository. No environment, record, registry or network is asked: a
/// base image without an entry in `build.lock` counts by its name, at both ends.
///
/// # Errors
/// Fails when a Dockerfile of either end cannot be read, or `from` is not a commit.
pub async fn compare(
    (from, to): (&Workspace, &Workspace),
    only: &[ImageName],
    timings: &Timings,
) -> Result<Gathered> {
    let Files::Commit(commit) = from.files else {
        return Err(Error::new(Code::Usage, "a comparison starts at a commit"));
    };
    let clients = Clients::new(clients::Options { offline: true, ..clients::Options::default() });
    let query = Query::compare(to, only)?;
    // The older end is asked for all images, because an image that only the newer end declares has no key
    // there.
    let all = Query::compare(from, &[])?.with_detail(Detail::Plan).unexplained();
    let older = Box::pin(gather(&clients, from, &all, Base::default(), timings)).await?;
    Box::pin(gather(&clients, to, &query, Base::of_commit(commit, &older.facts, &to.config), timings)).await
}
