//! The search for the first path that globs match. Start with [`FirstMatch`], a filter that lets no path
//! through.

use std::sync::OnceLock;

use bstr::{BStr, BString};

use super::{GlobFilter, Globs, Scope};
use crate::tree::{Filter, Kind, Verdict};

/// The filter that keeps the first file, link or submodule that globs match, and ends the walk there.
#[derive(Debug)]
pub struct FirstMatch {
    globs: GlobFilter,
    found: OnceLock<(BString, Kind)>,
}

impl FirstMatch {
    /// The search for `globs` in a tree that is at the path `place` of the repository.
    pub fn of(globs: Globs, place: impl Into<BString>) -> Self {
        Self { globs: GlobFilter::including(globs, place), found: OnceLock::new() }
    }

    /// The found path from the tree's root, and its kind; none if the walk met no match.
    #[must_use]
    pub fn found(self) -> Option<(BString, Kind)> {
        self.found.into_inner()
    }
}

impl Filter for FirstMatch {
    type State = Scope;

    fn root(&self) -> Scope {
        self.globs.root()
    }

    fn enter(&self, state: &Scope, path: &BStr, kind: Kind) -> (Verdict, Scope) {
        if self.found.get().is_some() {
            return (Verdict::Excluded, Scope::Nowhere);
        }
        let (verdict, scope) = self.globs.enter(state, path, kind);
        // A folder may be empty.
        if verdict == Verdict::Included && kind != Kind::Folder {
            self.found.get_or_init(|| (path.to_owned(), kind));
        }
        (Verdict::Excluded, scope)
    }

    fn below(&self, state: &Scope) -> Option<bool> {
        (self.found.get().is_some() || *state == Scope::Nowhere).then_some(false)
    }
}
