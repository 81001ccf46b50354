//! What of a context a Dockerfile reads: the sources of COPY, ADD and bind mounts, found in a [`Tree`].
//!
//! Start with [`Selection::find`]. As a [`Filter`] the selection takes what the sources name, with all that
//! is below it, and the links on the way to it. BuildKit asks a client for the same paths (`followpaths`,
//! `FollowLinks` of `github.com/tonistiigi/fsutil`); where the two differ, more is taken here, never less:
//!
//! - every link that a source passes through or ends in is followed, also behind wildcards;
//! - what cannot be told takes the folder it is in, or everything, and [`Selection::widened`] says so;
//! - what `--exclude` leaves out is not known here.
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

/// A path that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path from the context's root, without `..`; `.` is the root itself. A folder stands for all below it.
    pub path: String,
    /// How wildcards in it are read.
    pub reading: Reading,
}

/// How wildcards in a source's path are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Within each component, as Go's `filepath.Match` has them: COPY and ADD.
    Wildcards,
    /// As moby's patterns, with `**` for any number of folders: `COPY --parents`.
    Parents,
    /// Not at all: bind mounts.
    Literal,
}

/// Why more is taken than the path itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Widening {
    /// A pattern that is not read alike everywhere.
    #[error("the pattern has no certain meaning, so the folder it is in counts")]
    Pattern,
    /// A link that leads to the context's root.
    #[error("a link on its way leads to the root of the context, so the whole context counts")]
    Root,
    /// A link whose text goes down and up again.
    #[error("the text of a link on its way goes down and up again, so the whole context counts")]
    Winding,
    /// A path in a submodule.
    #[error("it is in a submodule, all of which counts by its commit")]
    Submodule,
    /// Links without end.
    #[error("too many links are on its way, so the whole context counts")]
    Links,
}

/// What sources read of a tree.
#[derive(Clone, Debug)]
pub struct Selection {
    whole: bool,
    reads: Vec<Reads>,
    /// What all of them take.
    taken: BTreeSet<BString>,
}

/// What one source reads.
#[derive(Clone, Debug)]
struct Reads {
    pattern: Pattern,
    whole: bool,
    taken: BTreeSet<BString>,
    /// Whether what it names is there, as far as that can be told.
    found: bool,
    /// Whether the folder before its first wildcard is there, as far as that can be told.
    entered: bool,
    widened: Option<Widening>,
}

impl Selection {
    /// Everything.
    #[must_use]
    pub fn whole() -> Self {
        Self { whole: true, reads: Vec::new(), taken: BTreeSet::new() }
    }

    /// Finds what `sources` read of `tree`.
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

    /// Makes everything count.
    pub fn widen(&mut self) {
        self.whole = true;
    }

    /// Whether everything counts.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The sources, by their place in the list, that are one path each, and one that is not in the tree; or that have a
    /// wildcard in a folder that is not.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let needed =
            |reads: &Reads| reads.pattern.is_plain() || (!reads.entered && reads.pattern.needs_folder());
        let missing = move |reads: &Reads| !reads.whole && !reads.found && needed(reads);
        self.reads.iter().enumerate().filter(move |(_, reads)| missing(reads)).map(|(index, _)| index)
    }

    /// The sources that are one path each, by their place in the list, with what they take.
    pub fn plain(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = &BStr>)> {
        let plain = |(_, reads): &(usize, &Reads)| !reads.whole && reads.pattern.is_plain();
        self.reads
            .iter()
            .enumerate()
            .filter(plain)
            .map(|(index, reads)| (index, reads.taken.iter().map(|path| path.as_bstr())))
    }

    /// The sources, by their place in the list, that take more than they say.
    pub fn widened(&self) -> impl Iterator<Item = (usize, Widening)> {
        let widened = |(index, reads): (usize, &Reads)| Some((index, reads.widened?));
        self.reads.iter().enumerate().filter_map(widened)
    }

    /// The sources, by their place in the list, that read `path`, or would if it were there.
    pub fn readers(&self, path: &BStr) -> impl Iterator<Item = usize> {
        let reads =
            move |reads: &Reads| reads.whole || covers(&reads.taken, path) || reads.pattern.concerns(path);
        self.reads.iter().enumerate().filter(move |(_, source)| reads(source)).map(|(index, _)| index)
    }

    /// Whether a source reads `path`, or would if it were there.
    #[must_use]
    pub fn contains(&self, path: &BStr) -> bool {
        self.whole || self.readers(path).next().is_some()
    }
}

/// Whether `path` or a folder above it is among `taken`.
fn covers(taken: &BTreeSet<BString>, path: &BStr) -> bool {
    let ends = path.find_iter("/").chain([path.len()]);
    ends.into_iter().any(|end| taken.contains(path[..end].as_bstr()))
}

/// What a [`Selection`] says of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// It takes all that is in it.
    Taken,
    /// It takes something in it.
    Above,
    /// It takes nothing in it.
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
        // The sources do not count: what they take says all.
        asking.on(b"selection v1").on_number(usize::from(self.whole));
        asking.on_number(self.taken.len());
        for path in &self.taken {
            asking.on(path);
        }
    }
}
