//! From a plan to the scheduler's jobs: snapshots, pinned Dockerfiles, names and labels.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::files::Files;
use super::gather::{Gathered, Source};
use super::workspace::Workspace;
use crate::config::{Config, ImageName};
use crate::engine::{BuildRequest, Output};
use crate::error::{Error, Kind, Result};
use crate::execute::scheduler::Job;
use crate::plan::{Plan, PlannedImage};
use crate::reference::Reference;

/// The tag of what `dtbuild build` made last.
pub(super) const LOCAL_TAG: &str = "local";

/// What a plan's builds are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The registry.
    Publish,
    /// The engine's own store: builds stay there.
    Local,
}

/// The jobs that build what a plan decided to.
pub(super) fn jobs(
    workspace: &Workspace,
    gathered: &Gathered,
    plan: &Plan,
    purpose: Purpose,
    no_cache: bool,
) -> Result<Vec<Job>> {
    let building: BTreeSet<&ImageName> = plan.builds().map(|image| &image.name).collect();
    let request = |image: &PlannedImage| {
        let request = request(workspace, gathered, image, purpose, no_cache)?;
        let source = gathered.source(&image.name)?;
        let needs = source.dependencies.iter().filter(|need| building.contains(need)).cloned().collect();
        let push = (purpose == Purpose::Publish).then(|| image.key_reference());
        Ok(Job { request, needs, push })
    };
    plan.builds().map(request).collect()
}

fn request(
    workspace: &Workspace,
    gathered: &Gathered,
    planned: &PlannedImage,
    purpose: Purpose,
    no_cache: bool,
) -> Result<BuildRequest> {
    let source = gathered.source(&planned.name)?;
    let image = source.declared(&workspace.config)?;
    let files = source.files;
    let snapshot = files.snapshot(&workspace.repository, image.context.as_ref(), &source.inputs.rules)?;
    let context = snapshot.ok_or_else(|| {
        Error::new(Kind::Usage, format!("the context `{}` is gone from {files}", image.context))
    })?;
    let mut names = vec![planned.key_reference()];
    if purpose == Purpose::Local {
        names.push(planned.repository.tagged(LOCAL_TAG)?);
    }
    Ok(BuildRequest {
        image: planned.name.clone(),
        context,
        dockerfile: pinned(source, gathered, &workspace.config)?.into(),
        dockerfile_path: image.dockerfile.clone(),
        target: image.target.clone(),
        args: source.args.clone(),
        platforms: image.platforms.clone(),
        labels: labels(workspace, planned, files)?,
        secrets: image.secrets.clone(),
        no_cache,
        names,
        output: if purpose == Purpose::Publish { Output::Push } else { Output::Load },
    })
}

/// The Dockerfile with every base image pinned to the digest that was hashed, and every image of `build.toml`
/// by its key. This works on every engine, where named contexts and source policies do not.
fn pinned(source: &Source, gathered: &Gathered, config: &Config) -> Result<Vec<u8>> {
    let mut replacements: BTreeMap<String, String> = BTreeMap::new();
    for name in source.bases() {
        if let Some(digest) = gathered.bases.get(name).filter(|_| !name.contains('@')) {
            replacements.insert(name.to_owned(), format!("{name}@{digest}"));
        }
    }
    for (word, dependency) in source.images() {
        let image = config.images.get(dependency).zip(gathered.key(dependency));
        let reference: Option<Reference> = image.map(|(image, key)| image.repository.keyed(&key));
        if let Some(reference) = reference {
            replacements.insert(word.to_owned(), reference.to_string());
        }
    }
    source.pin(&replacements)
}

/// The OCI's labels for a commit; a working tree has none, as they would make a lie of its content.
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
fn labels(workspace: &Workspace, planned: &PlannedImage, files: Files) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::from([("dev.dtbuild.key".to_owned(), planned.key.to_string())]);
    if let Files::Commit(commit) = files {
        labels.insert("org.opencontainers.image.revision".to_owned(), commit.to_string());
        let seconds = workspace.repository.commit_time(commit)?;
        if let Some(created) = rfc3339(seconds) {
            labels.insert("org.opencontainers.image.created".to_owned(), created);
        }
        if let Some(url) = workspace.repository.remote_url() {
            labels.insert("org.opencontainers.image.source".to_owned(), url);
        }
    }
    Ok(labels)
}

fn rfc3339(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}
