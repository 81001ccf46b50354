//! Which files of the working tree git stores in another form than the disk has them.

use std::sync::{Arc, Mutex};

use bstr::BStr;
use gix::attrs::StateRef;
use gix::attrs::search::Outcome;
use gix::worktree::Stack;
use gix::worktree::stack::state::attributes::Source;

use super::index::Index;
use super::{GitError, Repository, lfs};

/// The attributes that change bytes on checkout. Those of line endings are not among them: what they
/// change has another size, which is how it is told.
const ATTRIBUTES: [&str; 3] = ["filter", "ident", "working-tree-encoding"];

/// What attributes do to a file on checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Nothing but line endings.
    None,
    /// Git LFS puts the file in the place of its pointer.
    Lfs,
    /// Its bytes can be others than git's.
    Other,
}

/// What the folders of a working tree have in common.
pub(super) type SharedConversions = Arc<Mutex<Conversions>>;

/// Answers for paths of the working tree, fastest when they come folder by folder.
pub(super) struct Conversions {
    stack: Stack,
    outcome: Outcome,
    objects: gix::OdbHandle,
}

impl Conversions {
    pub(super) fn read(repository: &Repository, index: &Index) -> Result<Self, GitError> {
        let stack = repository
            .inner
            .attributes_only(index.state(), Source::WorktreeThenIdMapping)
            .map_err(|source| GitError::BrokenAttributes { path: "".into(), source: source.into() })?
            .detach();
        let outcome = stack.selected_attribute_matches(ATTRIBUTES);
        Ok(Self { stack, outcome, objects: repository.inner.objects.clone() })
    }

    /// What attributes do to the file at `path` on checkout.
    pub(super) fn of_file(&mut self, path: &BStr) -> Result<Conversion, GitError> {
        self.look_up(path)?;
        let found =
            self.outcome.iter_selected().fold(Conversion::None, |found, next| match next.assignment.state {
                StateRef::Value(value) if value.as_bstr() == lfs::FILTER => Conversion::Lfs,
                StateRef::Set | StateRef::Value(_) if found == Conversion::None => Conversion::Other,
                _ => found,
            });
        Ok(found)
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
