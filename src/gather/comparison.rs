//! The head against the base: what the environment runs, and the changed paths. Start with [`Comparison`].

use std::collections::BTreeMap;
use std::time::Duration;

use bstr::BStr;
use dtbuild_content::globs::GlobFilter;
use dtbuild_content::key::ImageKey;

use super::keys::{Keyed, Keys};
use super::query::Query;
use super::sources::Source;
use super::touched;
use crate::changed::ChangedPath;
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::Result;
use crate::git::{CommitId, GitError, MissingReason, Presence, Repository};
use crate::plan::{Base, Deployed, DeployedImage};
use crate::record::{Deployment, Record};
use crate::workspace::Workspace;
use crate::workspace::files::Files;

/// How long is waited for what explains, and decides nothing.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// The base, where the clone lacks it or its folders.
    missing: Option<(CommitId, MissingReason)>,
}

impl Comparison {
    /// Compares with `--base`, else with the commit of the record, else (for the disk) with HEAD.
    pub(crate) fn make(workspace: &Workspace, query: &Query, record: Option<&Record>) -> Result<Self> {
        let repository = &workspace.repository;
        let deployed = record.and_then(Record::current);
        let commit: Option<CommitId> = match (&query.base, deployed) {
            // A commit that the clone lacks is missed, as one that the record names.
            (Some(revision), _) => {
                Some(repository.resolve(revision).or_else(|error| revision.parse().map_err(|_| error))?)
            }
            (None, Some(deployment)) => deployment.commit.as_deref().and_then(|commit| commit.parse().ok()),
            (None, None) => None,
        };
        let last_failed = record.is_some_and(Record::is_unsure);
        let current = deployed.map(runs);
        let mut this = Self { base: Base::None, current, last_failed, changes: Vec::new(), missing: None };
        match (workspace.files, commit) {
            (Files::Disk, _) if query.explained => this.base = head(workspace)?,
            (Files::Disk, _) | (Files::Commit(_), None) => {}
            (Files::Commit(head), Some(commit)) => match changes(repository, commit, head)? {
                Ok(changes) => this.knows(commit, changes),
                Err(reason) => this.lacks(commit, reason, reason.to_string()),
            },
        }
        Ok(this)
    }

    fn knows(&mut self, commit: CommitId, changes: Vec<ChangedPath>) {
        (self.base, self.changes) = (Base::Known { commit: commit.to_string() }, changes);
    }

    /// The base cannot be compared with: keys alone decide.
    fn lacks(&mut self, commit: CommitId, reason: MissingReason, why: String) {
        self.base = Base::Missing { commit: commit.to_string(), reason: why };
        self.missing = Some((commit, reason));
    }

    /// Fetches a base that the clone lacks, where somebody is to be told why images are built, and only the base's paths
    /// can tell.
    ///
    /// So a run that builds fetches nothing, nor does a preview in which no input changed, and nor does `--offline`.
    pub(crate) fn fetch_missing(
        &mut self,
        clients: &Clients,
        workspace: &Workspace,
        query: &Query,
        keys: &Keys,
    ) -> Result<()> {
        let (Files::Commit(head), Some((base, reason))) = (workspace.files, self.missing) else {
            return Ok(());
        };
        if clients.is_offline() || !query.explained || !self.lacks_causes(workspace, query, keys)? {
            return Ok(());
        }
        let fetched = clients.block_until_signal(async {
            Ok(workspace.repository.fetched_changes(base, head, PATIENCE).await)
        })?;
        match fetched {
            Ok(changes) => self.knows(base, changes),
            Err(error) => self.lacks(base, reason, format!("{}, and {error}", reason.cause())),
        }
        Ok(())
    }

    /// Whether an image, or the deployment, reads something else than when it was deployed.
    fn lacks_causes(&self, workspace: &Workspace, query: &Query, keys: &Keys) -> Result<bool> {
        let Some(current) = &self.current else { return Ok(false) };
        let reads_else = |(name, keyed): (&ImageName, &Keyed)| {
            let Some(running) = current.images.get(name).filter(|running| running.key != keyed.key) else {
                return false;
            };
            let (Some(old), Some(new)) = (running.fields.read(), keyed.fields.read()) else { return false };
            old.contexts != new.contexts || old.paths != new.paths
        };
        Ok(keys.iter().any(reads_else) || self.deploy_inputs(workspace, query)?.0 != current.deploy_inputs)
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

    /// Whether the changed paths are not known yet, since the clone lacks the base.
    pub(crate) fn lacks_base(&self) -> bool {
        self.missing.is_some()
    }

    /// What the environment runs of an image.
    pub(crate) fn running(&self, image: &ImageName) -> Option<&DeployedImage> {
        self.current.as_ref()?.images.get(image)
    }

    /// Whether the environment runs this very key.
    pub(crate) fn runs(&self, image: &ImageName, key: &ImageKey) -> bool {
        self.running(image).is_some_and(|running| running.key == *key)
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

/// The paths that differ between two commits, or why the clone cannot tell.
fn changes(
    repository: &Repository,
    base: CommitId,
    head: CommitId,
) -> Result<std::result::Result<Vec<ChangedPath>, MissingReason>> {
    if let Presence::Missing { reason } = repository.has_commit(base)? {
        return Ok(Err(reason));
    }
    match repository.changed_paths(base, head) {
        Ok(changes) => Ok(Ok(changes)),
        Err(GitError::MissingObject { .. }) => Ok(Err(MissingReason::Treeless)),
        Err(error) => Err(error.into()),
    }
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
