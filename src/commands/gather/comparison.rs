//! The head against the base: what the environment runs, and the changed paths. Start with [`Comparison`].

use std::collections::BTreeMap;

use bstr::{BStr, ByteSlice as _};
use dtbuild_cache::globs::GlobFilter;

use super::keys::Keys;
use super::query::Query;
use super::source::Source;
use super::touched;
use crate::commands::files::Files;
use crate::commands::workspace::Workspace;
use crate::config::ImageName;
use crate::error::Result;
use crate::git::{CommitId, GitError, MissingReason, Presence};
use crate::plan::{Base, ChangedPath, Deployed, DeployedImage};
use crate::record::{Deployment, Record};

/// What the head is compared with.
pub(crate) struct Comparison {
    /// The commit, and whether it is in this clone.
    pub(crate) base: Base,
    /// What the environment runs.
    pub(crate) current: Option<Deployed>,
    /// Whether the last deployment left the environment in an unsure state.
    pub(crate) last_failed: bool,
    /// The changed paths; empty when the base is not known.
    pub(crate) changes: Vec<ChangedPath>,
}

impl Comparison {
    /// Compares with `--base`, else with the commit of the record, else (for the disk) with HEAD.
    pub(crate) fn make(workspace: &Workspace, query: &Query, record: Option<&Record>) -> Result<Self> {
        let repository = &workspace.repository;
        let deployed = record.and_then(Record::current);
        let commit: Option<CommitId> = match (&query.base, deployed) {
            (Some(revision), _) => Some(repository.resolve(revision)?),
            (None, Some(deployment)) => deployment.commit.as_deref().and_then(|commit| commit.parse().ok()),
            (None, None) => None,
        };
        let (base, changes) = match (workspace.files, commit) {
            (Files::Disk, _) if query.explained => (head(workspace)?, Vec::new()),
            (Files::Disk, _) | (Files::Commit(_), None) => (Base::None, Vec::new()),
            (Files::Commit(head), Some(commit)) => match repository.has_commit(commit)? {
                Presence::Known => match repository.changed_paths(commit, head) {
                    Ok(changes) => (Base::Known { commit: commit.to_string() }, changes),
                    Err(GitError::MissingObject { .. }) => missing(commit, MissingReason::Treeless),
                    Err(error) => return Err(error.into()),
                },
                Presence::Missing { reason } => missing(commit, reason),
            },
        };
        let last_failed = record.is_some_and(Record::is_unsure);
        Ok(Self { base, current: deployed.map(runs), last_failed, changes })
    }

    /// Adds the paths by which the disk differs from HEAD, where an image reads any of them or all are asked for.
    pub(crate) fn with_disk(
        &mut self,
        workspace: &Workspace,
        query: &Query,
        sources: &BTreeMap<ImageName, Source>,
        keys: &Keys,
    ) -> Result<()> {
        let Base::Known { commit } = &self.base else { return Ok(()) };
        if workspace.files == Files::Disk
            && let Ok(commit) = commit.parse()
            && (query.needs_all() || touched::any(workspace, commit, sources, keys))
        {
            self.changes = workspace.repository.changed_in_working_tree()?;
        }
        Ok(())
    }

    /// The digest of what the deployment itself reads, and the changed paths among it.
    pub(crate) fn deploy_inputs(
        &self,
        workspace: &Workspace,
        query: &Query,
    ) -> Result<(Option<String>, Vec<ChangedPath>)> {
        let deploy = query.declared(workspace).and_then(|environment| environment.deploy.as_ref());
        let Some(paths) = deploy.and_then(|deploy| deploy.paths.as_ref()) else {
            return Ok((None, Vec::new()));
        };
        let filter = GlobFilter::including(paths.clone(), "");
        let digest = workspace.files.digest(&workspace.repository, BStr::new(""), &filter)?;
        let matching = |change: &&ChangedPath| paths.matches(change.path.as_ref());
        Ok((digest.map(|id| id.to_string()), self.changes.iter().filter(matching).cloned().collect()))
    }
}

/// Those of the changed paths, which are sorted, that are below a folder; all for the root.
pub(super) fn below<'c>(changes: &'c [ChangedPath], folder: &BStr) -> &'c [ChangedPath] {
    if folder.is_empty() {
        return changes;
    }
    let start = [folder.as_bytes(), b"/"].concat();
    let rest = &changes[changes.partition_point(|change| change.path < start)..];
    &rest[..rest.partition_point(|change| change.path.starts_with(&start))]
}

/// The change of this very path, if it is among the changed ones, which are sorted.
pub(super) fn of_path<'c>(changes: &'c [ChangedPath], path: &BStr) -> Option<&'c ChangedPath> {
    let found = changes.binary_search_by(|change| change.path.as_bstr().cmp(path)).ok()?;
    changes.get(found)
}

/// A commit that cannot be compared with: keys alone decide.
fn missing(commit: CommitId, reason: MissingReason) -> (Base, Vec<ChangedPath>) {
    (Base::Missing { commit: commit.to_string(), reason: reason.to_string() }, Vec::new())
}

/// What the disk is compared with.
fn head(workspace: &Workspace) -> Result<Base> {
    let head = workspace.repository.head()?;
    Ok(head.map_or(Base::None, |head| Base::Known { commit: head.commit.to_string() }))
}

/// An image whose fields were not kept counts as not deployed: that costs a look-up and an explanation.
fn runs(deployment: &Deployment) -> Deployed {
    let image = |image: &crate::record::DeployedImage| {
        let digest = image.reference.digest()?.clone();
        Some(DeployedImage { key: image.key, fields: image.fields.clone()?, digest })
    };
    let images = deployment.images.iter().filter_map(|(name, running)| Some((name.clone(), image(running)?)));
    Deployed { deploy_inputs: deployment.deploy_inputs.clone(), images: images.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ChangeStatus;

    #[test]
    fn what_is_below_a_folder_is_found_among_what_sorts_beside_it() {
        let paths = ["a", "b", "b-c", "b.d/e", "b/", "b/c", "b/d/e", "b0", "bb/c", "c/b/c"];
        let changes: Vec<ChangedPath> = paths
            .iter()
            .map(|path| ChangedPath { path: (*path).into(), status: ChangeStatus::Modified })
            .collect();
        for folder in ["", "a", "b", "b/d", "c", "c/b", "d", "bb"] {
            let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let expected: Vec<_> =
                changes.iter().filter(|change| change.path.starts_with(start.as_bytes())).collect();
            assert_eq!(below(&changes, folder.into()).iter().collect::<Vec<_>>(), expected, "{folder}");
        }
        for path in paths {
            assert_eq!(
                of_path(&changes, path.into()).map(|change| change.path.as_bstr()),
                Some(BStr::new(path))
            );
        }
        assert_eq!(of_path(&changes, "b/d".into()), None);
    }
}
