//! The changed paths between the base and the head. They explain a plan and decide nothing.
//!
//! Start with [`Diff`], which is made from git's objects before any key is known. [`Diff::complete`] turns the
//! diff into [`Changes`] once the keys have shown whether more work pays: a fetch of a base that the clone
//! lacks, or a comparison of the disk.

use std::collections::BTreeMap;
use std::time::Duration;

use super::base::Base;
use super::deploy_inputs::DeployInputs;
use super::keys::Keys;
use super::query::Query;
use super::sources::Source;
use super::uncommitted;
use crate::changed::ChangedPath;
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::Result;
use crate::git::{CommitId, GitError, Head, MissingReason, Presence, Repository};
use crate::plan::{self, Unnamed};
use crate::workspace::{Files, Workspace};

/// The longest time that a run waits for an explanation.
const PATIENCE: Duration = Duration::from_secs(30);

/// The difference between the base and the head, as far as the clone can tell.
pub(crate) enum Diff {
    /// The head has nothing to be compared with.
    None,
    /// The paths that differ between two commits.
    Known { base: CommitId, paths: Vec<ChangedPath> },
    /// The clone lacks the base, or its folders.
    Missing { base: CommitId, reason: MissingReason },
    /// The disk, compared with HEAD; and HEAD compared with the commit `since`, if there is a base.
    Disk { head: CommitId, since: Option<CommitId> },
}

/// The changed paths, made once by [`Diff::complete`].
pub(crate) struct Changes {
    /// The base commit, and whether the clone has the commit.
    pub(crate) base: plan::Base,
    /// The changed paths, sorted; empty where the base is not known.
    pub(crate) paths: Vec<ChangedPath>,
}

impl Diff {
    /// The diff with the query's own base, else with the commit that the environment runs, else (for the disk)
    /// with HEAD.
    pub(crate) fn with(base: &Base, workspace: &Workspace, query: &Query) -> Result<Self> {
        let repository = &workspace.repository;
        let commit = match query.base() {
            // A revision that does not resolve, but is a commit id, is a commit that the clone lacks.
            Some(revision) => {
                Some(repository.resolve(revision).or_else(|error| revision.parse().map_err(|_| error))?)
            }
            None => base.commit,
        };
        match (workspace.files, commit) {
            (Files::Disk, since) if query.scope().explained => {
                let disk = |head: Head| Self::Disk { head: head.commit, since };
                Ok(repository.head()?.map_or(Self::None, disk))
            }
            (Files::Disk, _) | (Files::Commit(_), None) => Ok(Self::None),
            (Files::Commit(head), Some(base)) => Self::between(repository, base, head),
        }
    }

    fn between(repository: &Repository, base: CommitId, head: CommitId) -> Result<Self> {
        if let Presence::Missing { reason } = repository.has_commit(base)? {
            return Ok(Self::Missing { base, reason });
        }
        match repository.changed_paths(base, head) {
            Ok(paths) => Ok(Self::Known { base, paths }),
            Err(GitError::MissingObject { .. }) => {
                Ok(Self::Missing { base, reason: MissingReason::Treeless })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The reason why an image's inputs can differ though none of the changed paths is among the inputs.
    pub(super) fn unnamed(&self) -> Unnamed {
        if matches!(self, Self::Known { .. }) { Unnamed::OtherInputs } else { Unnamed::BaseMissing }
    }

    /// The changed paths as far as the diff knows them already.
    pub(super) fn paths(&self) -> &[ChangedPath] {
        match self {
            Self::Known { paths, .. } => paths,
            Self::None | Self::Missing { .. } | Self::Disk { .. } => &[],
        }
    }

    /// True if the clone lacks the base.
    pub(super) fn lacks_base(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// The changed paths, with the base fetched and the disk compared where that is worth its time.
    ///
    /// A missing base is fetched only where a plan is to be explained and the base's paths alone can explain
    /// the plan. A run that builds fetches nothing, nor does a preview without changed inputs, nor a run with
    /// `--offline`. The disk is compared where an image reads an uncommitted change, or where the query wants
    /// everything.
    pub(crate) async fn complete(
        self,
        clients: &Clients,
        workspace: &Workspace,
        query: &Query,
        (base, deploy): (&Base, &DeployInputs),
        (sources, keys): (&BTreeMap<ImageName, Source>, &Keys),
    ) -> Result<Changes> {
        let repository = &workspace.repository;
        Ok(match self {
            Self::None => Changes { base: plan::Base::None, paths: Vec::new() },
            Self::Known { base, paths } => Changes::since(base, paths),
            Self::Disk { head, since: Some(base) } => {
                let mut paths = repository.changed_paths(base, head)?;
                paths.extend(repository.changed_in_working_tree()?);
                paths.sort_unstable();
                paths.dedup_by(|later, earlier| later.path == earlier.path);
                Changes::since(base, paths)
            }
            Self::Disk { head, since: None } => {
                let wanted = query.needs_all() || uncommitted::reads_any(workspace, head, sources, keys);
                let paths = if wanted { repository.changed_in_working_tree()? } else { Vec::new() };
                Changes::since(head, paths)
            }
            Self::Missing { base: commit, reason } => {
                let Files::Commit(head) = workspace.files else {
                    return Ok(Changes::lacking(commit, reason.to_string()));
                };
                let asked = !clients.is_offline() && query.scope().explained;
                if !asked || !lacks_causes(base, deploy, keys) {
                    return Ok(Changes::lacking(commit, reason.to_string()));
                }
                let fetched = repository.fetched_changes(commit, head, PATIENCE);
                match clients.until_signal(fetched).await? {
                    Ok(paths) => Changes::since(commit, paths),
                    Err(error) => Changes::lacking(commit, format!("{}, and {error}", reason.cause())),
                }
            }
        })
    }
}

impl Changes {
    /// The reason why an image's inputs can differ though none of the changed paths is among the inputs.
    pub(super) fn unnamed(&self) -> Unnamed {
        match self.base {
            plan::Base::Known { .. } => Unnamed::OtherInputs,
            plan::Base::None | plan::Base::Missing { .. } => Unnamed::BaseMissing,
        }
    }

    fn since(base: CommitId, paths: Vec<ChangedPath>) -> Self {
        Self { base: plan::Base::Known { commit: base.to_string() }, paths }
    }

    /// The changes without a base: keys alone decide.
    fn lacking(base: CommitId, reason: String) -> Self {
        Self { base: plan::Base::Missing { commit: base.to_string(), reason }, paths: Vec::new() }
    }
}

/// The changed paths of each image that was deployed from an older commit than the base, since a deployment
/// with `--only` left the image as it was. None where the clone lacks the older commit.
pub(super) fn since_older(
    base: &Base,
    workspace: &Workspace,
    query: &Query,
    keys: &Keys,
) -> Result<BTreeMap<ImageName, Option<Vec<ChangedPath>>>> {
    let mut found = BTreeMap::new();
    let (Files::Commit(head), None) = (workspace.files, query.base()) else { return Ok(found) };
    for (name, commit) in &base.older {
        if keys.get(name).is_some_and(|keyed| !base.runs(name, &keyed.key)) {
            let paths = match Diff::between(&workspace.repository, *commit, head)? {
                Diff::Known { paths, .. } => Some(paths),
                _ => None,
            };
            found.insert(name.clone(), paths);
        }
    }
    Ok(found)
}

/// True if an image, or the deployment, reads other inputs than when it was deployed.
fn lacks_causes(base: &Base, deploy: &DeployInputs, keys: &Keys) -> bool {
    let Some(current) = &base.current else { return false };
    let reads_else = |name: &ImageName| {
        let (running, keyed) = (current.images.get(name), keys.get(name));
        let Some((running, keyed)) = running.zip(keyed).filter(|(old, new)| old.key != new.key) else {
            return false;
        };
        let (Some(old), Some(new)) = (running.fields.read(), keyed.fields.read()) else { return false };
        old.contexts != new.contexts || old.paths != new.paths
    };
    keys.keys().any(reads_else) || deploy.digest != current.deploy_inputs
}
