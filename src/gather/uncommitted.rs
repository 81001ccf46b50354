//! Uncommitted changes among the inputs of images. Start with [`reads_any`].
//!
//! A comparison of the whole working tree with git's index takes longer than all keys do, and only names paths.
//! So the comparison is made only where an image reads a changed path.

use std::collections::BTreeMap;

use super::keys::{Keyed, Keys};
use super::memory::questions;
use super::sources::Source;
use crate::config::ImageName;
use crate::error::Result;
use crate::git::CommitId;
use crate::workspace::{Files, Workspace};

/// True if any of the images reads a file that differs from the file in `commit`.
pub(crate) fn reads_any(
    workspace: &Workspace,
    commit: CommitId,
    sources: &BTreeMap<ImageName, Source>,
    keys: &Keys,
) -> bool {
    // The memo keeps only one answer: no image reads a difference.
    let question = questions::of_disk(workspace, commit, sources, keys).ok().flatten();
    let memo = workspace.repository.memo();
    if question.is_some_and(|question| memo.recall(&question).is_some()) {
        return false;
    }
    // An image whose inputs the commit lacks reads something else on the disk.
    let differs = |name: &ImageName, source: &Source| {
        keys.get(name).is_none_or(|keyed| !is_as_in(workspace, commit, source, keyed).unwrap_or(false))
    };
    let any = sources.iter().any(|(name, source)| differs(name, source));
    if let Some(question) = question.filter(|_| !any) {
        memo.note(question, vec![1]);
    }
    any
}

/// True if the Dockerfile, the ignore files and all selected files are as in the commit.
fn is_as_in(workspace: &Workspace, commit: CommitId, source: &Source, keyed: &Keyed) -> Result<bool> {
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
