//! The content of a new `build.lock`, from the base images that the Dockerfiles name and the digests that the
//! registries serve. Start with [`relock`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Bases, Source, Sources};
use crate::clients::Clients;
use crate::config::{ImageName, Lock};
use crate::dockerfile::Entitlement;
use crate::error::{Code, Error, Result};
use crate::reference::Digest;
use crate::workspace::Workspace;

/// The base images whose registries are asked again, though `build.lock` has their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// No base image: only missing entries are added.
    Missing,
    /// All base images.
    All,
    /// The base images of these names.
    Named(Vec<String>),
}

/// Computes the new content of `build.lock`.
///
/// # Errors
/// Fails when a Dockerfile cannot be read, a registry does not answer, or no Dockerfile names a base that is to
/// be renewed.
pub async fn relock(clients: &Clients, workspace: &Workspace, renewal: &Renewal) -> Result<Lock> {
    let old = &workspace.lock;
    let all = workspace.config.images.keys().cloned().collect();
    let mut bases = Bases::moved(clients, workspace, kept(renewal, old));
    let sources = Sources::read(workspace, &mut bases, &all).await?;
    bases.check()?;
    let sources = || sources.images.values();
    let names: BTreeSet<String> = sources().flat_map(Source::bases).map(str::to_owned).collect();
    check(renewal, &names)?;
    let platforms = if names.is_empty() {
        BTreeSet::new()
    } else {
        old.platforms.iter().cloned().chain(sources().flat_map(Source::base_platforms)).collect()
    };
    let lock = bases.lock(&names, platforms).await?;
    bases.check()?;
    Ok(lock)
}

/// The base images that the Dockerfiles of all images name, as far as they can be told.
///
/// # Errors
/// When a Dockerfile cannot be read.
pub(crate) async fn base_images(clients: &Clients, workspace: &Workspace) -> Result<BTreeSet<String>> {
    let all = workspace.config.images.keys().cloned().collect();
    let sources = Sources::read(workspace, &mut Bases::locked(clients, workspace), &all).await?;
    Ok(sources.images.values().flat_map(Source::bases).map(str::to_owned).collect())
}

/// The permissions that the Dockerfiles of all images need beyond those of every build, by image.
///
/// # Errors
/// When a Dockerfile cannot be read.
pub(crate) async fn entitlements(
    clients: &Clients,
    workspace: &Workspace,
) -> Result<BTreeMap<ImageName, Vec<Entitlement>>> {
    let all = workspace.config.images.keys().cloned().collect();
    let sources = Sources::read(workspace, &mut Bases::locked(clients, workspace), &all).await?;
    Ok(sources.images.into_iter().map(|(name, source)| (name, source.entitlements())).collect())
}

/// The digests of `build.lock` that are kept without asking a registry.
fn kept(renewal: &Renewal, old: &Lock) -> BTreeMap<String, Digest> {
    let keeps = |name: &String| match renewal {
        Renewal::Missing => true,
        Renewal::All => false,
        Renewal::Named(named) => !named.contains(name),
    };
    let kept = old.bases.iter().filter(|(name, _)| keeps(name));
    kept.map(|(name, base)| (name.clone(), base.digest.clone())).collect()
}

/// Checks that a Dockerfile names each base image that is to be renewed.
fn check(renewal: &Renewal, names: &BTreeSet<String>) -> Result<()> {
    let Renewal::Named(asked) = renewal else { return Ok(()) };
    let Some(unknown) = asked.iter().find(|name| !names.contains(*name)) else { return Ok(()) };
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = format!("no Dockerfile names the base image `{unknown}`");
    Err(Error::new(Code::NotDeclared, message).hint(format!("they name: {}", known.join(", "))))
}
