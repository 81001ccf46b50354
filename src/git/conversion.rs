//! Which files of the working tree git stores in another form than the disk has them.

use bstr::BStr;
use gix::attrs::StateRef;
use gix::attrs::search::Outcome;
use gix::worktree::Stack;
use gix::worktree::stack::state::attributes::Source;

use super::index::Index;
use super::{GitError, Repository};

/// The attributes that change bytes on checkout. Those of line endings are not among them: what they
/// change has another size, which is how it is told.
const ATTRIBUTES: [&str; 3] = ["filter", "ident", "working-tree-encoding"];

/// Answers for paths of the working tree, fastest when they come folder by folder.
pub(super) struct Conversions {
    stack: Stack,
    outcome: Outcome,
    objects: gix::OdbHandle,
}

impl Conversions {
    pub(super) fn of(repository: &Repository, index: &Index) -> Result<Self, GitError> {
        let stack = repository
            .inner
            .attributes_only(index.state(), Source::WorktreeThenIdMapping)
            .map_err(|source| GitError::BrokenAttributes { path: "".into(), source: source.into() })?
            .detach();
        let outcome = stack.selected_attribute_matches(ATTRIBUTES);
        Ok(Self { stack, outcome, objects: repository.inner.objects.clone() })
    }

    /// Whether an attribute of the file at `path` can make its bytes differ from git's.
    pub(super) fn apply(&mut self, path: &BStr) -> Result<bool, GitError> {
        self.look_up(path)?;
        Ok(self
            .outcome
            .iter_selected()
            .any(|found| matches!(found.assignment.state, StateRef::Set | StateRef::Value(_))))
    }

    /// Whether the file at `path` is one that Git LFS keeps.
    pub(super) fn is_lfs(&mut self, path: &BStr) -> Result<bool, GitError> {
        self.look_up(path)?;
        Ok(self.outcome.iter_selected().any(
            |found| matches!(found.assignment.state, StateRef::Value(value) if value.as_bstr() == "lfs"),
        ))
    }

    fn look_up(&mut self, path: &BStr) -> Result<(), GitError> {
        let broken = |source: std::io::Error| GitError::BrokenAttributes {
            path: path.to_owned(),
            source: source.into(),
        };
        let platform = self.stack.at_path(path, None, &self.objects).map_err(broken)?;
        platform.matching_attributes(&mut self.outcome);
        Ok(())
    }
}
