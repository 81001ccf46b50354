//! Uncommitted changes: those among the inputs of images ([`reads_any`]), and those that a plan of HEAD leaves out
//! ([`LeftOut`]).
//!
//! A comparison of the whole working tree with git's index takes longer than all keys do, and only names paths.
//! So the comparison is made only where an image reads a changed path, or where the repository is small.

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use super::keys::{Keyed, Keys};
use super::memory::questions;
use super::query::Query;
use super::sources;
use crate::changed::ChangedPath;
use crate::config::{ImageName, Source};
use crate::error::Result;
use crate::git::{CommitId, GitError};
use crate::workspace::{Files, Workspace};

/// The most paths of a repository whose working tree is compared for a note alone: the comparison takes some
/// milliseconds, beside the rest of the work.
const MOST_PATHS: u32 = 5000;

/// The uncommitted changes of tracked paths that a plan of HEAD leaves out, looked for on a thread of its own.
pub(crate) struct LeftOut(Option<JoinHandle<std::result::Result<Vec<ChangedPath>, GitError>>>);

impl LeftOut {
    /// Begins to look, if the query is about HEAD and the repository is small.
    pub(crate) fn look(workspace: &Workspace, query: &Query) -> Result<Self> {
        let repository = &workspace.repository;
        let (Files::Commit(commit), Query::Release { .. }) = (workspace.files, query) else {
            return Ok(Self(None));
        };
        // The changes are part of the plan of an image that is built from the disk.
        if workspace.config.images.values().any(|image| image.source == Source::Worktree) {
            return Ok(Self(None));
        }
        let is_head =
            repository.root().is_ok() && repository.head()?.is_some_and(|head| head.commit == commit);
        if !is_head || repository.tracked_paths().is_none_or(|paths| paths > MOST_PATHS) {
            return Ok(Self(None));
        }
        let repository = repository.for_thread();
        Ok(Self(Some(std::thread::spawn(move || repository.uncommitted(commit)))))
    }

    /// The remark on what was found; none where nothing was, or where the working tree cannot be compared.
    pub(crate) fn note(self) -> Option<String> {
        let changes = self.0?.join().ok()?.ok()?;
        let first = changes.first()?;
        let (count, them) = match changes.len() {
            1 => ("1 uncommitted change is".to_owned(), "it"),
            several => (format!("{several} uncommitted changes are"), "them"),
        };
        Some(format!(
            "{count} not in this plan (`{}`): commit {them}, or `dtbuild build` builds the files on the disk",
            first.path
        ))
    }
}

/// True if any of the images reads a file that differs from the file in `commit`.
pub(crate) fn reads_any(
    workspace: &Workspace,
    commit: CommitId,
    sources: &BTreeMap<ImageName, sources::Source>,
    keys: &Keys,
) -> bool {
    // The memo keeps only one answer: no image reads a difference.
    let question = questions::of_disk(workspace, commit, sources, keys).ok().flatten();
    let memo = workspace.repository.memo();
    if question.is_some_and(|question| memo.recall(&question).is_some()) {
        return false;
    }
    // An image whose inputs the commit lacks reads something else on the disk.
    let differs = |name: &ImageName, source: &sources::Source| {
        keys.get(name).is_none_or(|keyed| !is_as_in(workspace, commit, source, keyed).unwrap_or(false))
    };
    let any = sources.iter().any(|(name, source)| differs(name, source));
    if let Some(question) = question.filter(|_| !any) {
        memo.note(question, vec![1]);
    }
    any
}

/// True if the Dockerfile, the ignore files and all selected files are as in the commit.
fn is_as_in(
    workspace: &Workspace,
    commit: CommitId,
    source: &sources::Source,
    keyed: &Keyed,
) -> Result<bool> {
    let (repository, files) = (&workspace.repository, Files::Commit(commit));
    let dockerfile = &source.declared(&workspace.config)?.dockerfile;
    let committed = files.read(repository, dockerfile.as_ref())?;
    let digest = committed.map(|text| blake3::hash(&text).to_hex());
    if digest.as_deref() != Some(&source.dockerfile_digest)
        || !source.contexts.has_rules_of(repository, files)?
    {
        return Ok(false);
    }
    let selections = source.contexts.select(repository, files)?;
    let paths = source.contexts.main.paths_digest(repository, files)?;
    let (paths, fields) = (paths.map(|id| id.to_string()), keyed.fields.read());
    Ok(selections.digests == keyed.selections.digests && fields.is_some_and(|fields| fields.paths == paths))
}
