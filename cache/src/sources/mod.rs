//! The paths of a context that a Dockerfile reads: the sources of COPY, ADD and bind mounts, found in a
//! [`Tree`].
//!
//! Start with [`Selection::find`]. As a [`Filter`] the selection takes the paths that the sources name, with
//! all that is below them, and the links on the way to them. BuildKit asks a client for these paths too
//! (`followpaths`, `FollowLinks` of `github.com/tonistiigi/fsutil`); if the two differ, more is taken here,
//! never less:
//!
//! - every link that a source passes through or ends in is followed, also behind wildcards;
//! - a source whose paths cannot be told takes the folder it is in, or everything, and [`Selection::widened`]
//!   says so;
//! - paths that `--exclude` leaves out are taken, since `--exclude` is not known here.
//!
//! In the order in which data flows: `pattern` takes a source's path apart, `wildcard` matches a name, `find`
//! goes through the tree.

mod find;
mod pattern;
#[cfg(test)]
mod tests;
mod wildcard;

use std::collections::BTreeSet;
use std::ops::Bound;

use bstr::{BStr, BString, ByteSlice};

use self::pattern::Pattern;
use crate::memo::Asking;
use crate::tree::{Filter, Identified, Kind, Tree, Verdict};

/// A source: a path that a Dockerfile reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path from the context's root, without `..`; `.` is the root itself. A folder stands for all paths
    /// below it.
    pub path: String,
    /// The way in which wildcards in the path are read.
    pub reading: Reading,
}

/// The way in which wildcards in a source's path are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Wildcards within each component, as Go's `filepath.Match` has them: COPY and ADD.
    Wildcards,
    /// moby's patterns, with `**` for any number of folders: `COPY --parents`.
    Parents,
    /// No wildcards: bind mounts.
    Literal,
}

/// The reason why a source takes more than its path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Widening {
    /// The path is a pattern that readers read in different ways.
    #[error("the pattern has no certain meaning, so the folder it is in counts")]
    Pattern,
    /// A link leads to the context's root.
    #[error("a link on its way leads to the root of the context, so the whole context counts")]
    Root,
    /// The text of a link goes down and up again.
    #[error("the text of a link on its way goes down and up again, so the whole context counts")]
    Winding,
    /// The path is in a submodule.
    #[error("it is in a submodule, all of which counts by its commit")]
    Submodule,
    /// Links lead on without end.
    #[error("too many links are on its way, so the whole context counts")]
    Links,
}

/// The paths of a tree that sources read.
#[derive(Clone, Debug)]
pub struct Selection {
    whole: bool,
    reads: Vec<Reads>,
    /// The paths that the sources take, all together.
    taken: BTreeSet<BString>,
}

/// The paths that one source reads.
#[derive(Clone, Debug)]
struct Reads {
    pattern: Pattern,
    whole: bool,
    taken: BTreeSet<BString>,
    /// True if the path that the source names is there, as far as that can be told.
    found: bool,
    /// True if the folder before the source's first wildcard is there, as far as that can be told.
    entered: bool,
    widened: Option<Widening>,
}

impl Selection {
    /// The selection of the whole tree.
    #[must_use]
    pub fn whole() -> Self {
        Self { whole: true, reads: Vec::new(), taken: BTreeSet::new() }
    }

    /// Finds the paths of `tree` that `sources` read.
    ///
    /// # Errors
    /// Fails if the tree cannot be read.
    pub fn find<T: Tree>(tree: &T, sources: &[Source]) -> Result<Self, crate::tree::Error<T::Error>> {
        let mut finder = find::Finder::new(tree);
        let reads = sources.iter().map(|source| finder.find(source)).collect::<Result<Vec<_>, _>>()?;
        let whole = reads.iter().any(|reads| reads.whole);
        let taken = reads.iter().flat_map(|reads| &reads.taken).cloned().collect();
        Ok(Self { whole, reads, taken })
    }

    /// Makes the whole tree count.
    pub fn widen(&mut self) {
        self.whole = true;
    }

    /// True if the whole tree counts.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The missing sources, by their place in the list: those that are one path each, which is not in the
    /// tree, and those with a wildcard in a folder that is not in the tree.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let needed =
            |reads: &Reads| reads.pattern.is_plain() || (!reads.entered && reads.pattern.needs_folder());
        let missing = move |reads: &Reads| !reads.whole && !reads.found && needed(reads);
        self.reads.iter().enumerate().filter(move |(_, reads)| missing(reads)).map(|(index, _)| index)
    }

    /// The sources that are one path each, by their place in the list, with the paths that they take.
    pub fn plain(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = &BStr>)> {
        let plain = |(_, reads): &(usize, &Reads)| !reads.whole && reads.pattern.is_plain();
        self.reads
            .iter()
            .enumerate()
            .filter(plain)
            .map(|(index, reads)| (index, reads.taken.iter().map(|path| path.as_bstr())))
    }

    /// The sources, by their place in the list, that take more than their paths say, with the reason.
    pub fn widened(&self) -> impl Iterator<Item = (usize, Widening)> {
        let widened = |(index, reads): (usize, &Reads)| Some((index, reads.widened?));
        self.reads.iter().enumerate().filter_map(widened)
    }

    /// The sources, by their place in the list, that read `path`, or would read it if it were there.
    pub fn readers(&self, path: &BStr) -> impl Iterator<Item = usize> {
        let reads =
            move |reads: &Reads| reads.whole || covers(&reads.taken, path) || reads.pattern.concerns(path);
        self.reads.iter().enumerate().filter(move |(_, source)| reads(source)).map(|(index, _)| index)
    }

    /// True if a source reads `path`, or would read it if it were there.
    #[must_use]
    pub fn contains(&self, path: &BStr) -> bool {
        self.whole || self.readers(path).next().is_some()
    }
}

/// True if `path` or a folder above it is among `taken`.
fn covers(taken: &BTreeSet<BString>, path: &BStr) -> bool {
    let ends = path.find_iter("/").chain([path.len()]);
    ends.into_iter().any(|end| taken.contains(path[..end].as_bstr()))
}

/// The part of a folder that a [`Selection`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All paths in the folder.
    Taken,
    /// Some paths in the folder.
    Above,
    /// No paths in the folder.
    Nowhere,
}

impl Filter for Selection {
    type State = Scope;

    fn root(&self) -> Scope {
        match (self.whole, self.taken.is_empty()) {
            (true, _) => Scope::Taken,
            (false, true) => Scope::Nowhere,
            (false, false) => Scope::Above,
        }
    }

    fn enter(&self, state: &Scope, path: &BStr, _kind: Kind) -> (Verdict, Scope) {
        match state {
            Scope::Taken => (Verdict::Included, Scope::Taken),
            Scope::Nowhere => (Verdict::Excluded, Scope::Nowhere),
            Scope::Above if self.taken.contains(path) => (Verdict::Included, Scope::Taken),
            Scope::Above => {
                let inside: BString = [&**path, b"/"].concat().into();
                let range = (Bound::Included(&inside), Bound::Unbounded);
                let first = self.taken.range::<BString, _>(range).next();
                let above = first.is_some_and(|first| first.starts_with(&inside));
                (Verdict::Excluded, if above { Scope::Above } else { Scope::Nowhere })
            }
        }
    }

    fn below(&self, state: &Scope) -> Option<bool> {
        match state {
            Scope::Taken => Some(true),
            Scope::Above => None,
            Scope::Nowhere => Some(false),
        }
    }
}

impl Identified for Selection {
    fn identify(&self, asking: &mut Asking) {
        // The sources do not count: the paths that they take say all.
        asking.on(b"selection v1").on_number(usize::from(self.whole));
        asking.on_number(self.taken.len());
        for path in &self.taken {
            asking.on(path);
        }
    }
}
