//! The globs of `build.toml` as filters of a tree. Start with [`GlobFilter`].
//!
//! Globs are relative to the repository's root; a tree may be a folder of the repository, whose path the
//! filter is told. A glob that matches a folder takes all paths below it, so `openapi` and `openapi/**` name
//! the same files. The syntax is that of the `globset` crate: `*` and `?` stay within a component, `**` does
//! not, `{a,b}` is either.

use std::collections::BTreeSet;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::memo::Asking;
use crate::path::join;
use crate::tree::{Filter, Identified, Kind, Verdict};

mod first;

pub use first::FirstMatch;

/// The error for a text that is not a glob of the repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// The glob's syntax is wrong.
    #[error(
        "`{glob}` is not a valid glob: {reason}; write `\\` before a special character to take it as it is"
    )]
    Syntax {
        /// The glob.
        glob: String,
        /// The message of the parser.
        reason: String,
    },
    /// The glob leads out of the repository, so it can match nothing.
    #[error("the glob `{glob}` leads out of the repository; write it relative to the repository's root")]
    Outside {
        /// The glob.
        glob: String,
    },
}

/// A set of globs, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Globs(Arc<Compiled>);

#[derive(Debug, Default)]
struct Compiled {
    set: GlobSet,
    /// The leading components of each glob that have no special characters: a glob matches only at or below
    /// them.
    roots: BTreeSet<BString>,
    /// The texts of the globs, as they were given.
    texts: Vec<String>,
}

impl Globs {
    /// Compiles `globs`. A leading `./` and a trailing `/` mean nothing; `.` is the whole repository.
    pub fn new<G: AsRef<str>>(globs: impl IntoIterator<Item = G>) -> Result<Self, GlobError> {
        Self::compile(globs, false)
    }

    /// The globs that match exactly these paths, and all below them.
    pub fn of_paths<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Result<Self, GlobError> {
        Self::new(paths.into_iter().map(|path| globset::escape(path.as_ref())))
    }

    /// Compiles `globs` for which upper and lower case are one. All paths of the repository are compared with
    /// them.
    pub fn of_any_case<G: AsRef<str>>(globs: impl IntoIterator<Item = G>) -> Result<Self, GlobError> {
        Self::compile(globs, true)
    }

    fn compile<G: AsRef<str>>(globs: impl IntoIterator<Item = G>, any_case: bool) -> Result<Self, GlobError> {
        let mut set = GlobSetBuilder::new();
        let (mut roots, mut texts) = (BTreeSet::new(), Vec::new());
        for glob in globs {
            let given = glob.as_ref();
            texts.push(given.to_owned());
            let syntax = |error: globset::Error| GlobError::Syntax {
                glob: given.to_owned(),
                reason: error.kind().to_string(),
            };
            let glob = given.strip_prefix("./").unwrap_or(given);
            if glob.starts_with('/') || glob.split('/').any(|component| component == "..") {
                return Err(GlobError::Outside { glob: given.to_owned() });
            }
            let glob = glob.trim_end_matches('/');
            let glob = if matches!(glob, "" | ".") { "**" } else { glob };
            let mut builder = GlobBuilder::new(glob);
            set.add(builder.literal_separator(true).case_insensitive(any_case).build().map_err(syntax)?);
            roots.insert(if any_case { BString::default() } else { root(glob) });
        }
        let set = set.build().map_err(|error| GlobError::Syntax {
            glob: error.glob().unwrap_or_default().to_owned(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self(Arc::new(Compiled { set, roots, texts })))
    }

    /// The globs as they were given.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.texts.iter().map(String::as_str)
    }

    /// Adds to `asking` everything that the globs' matches depend on.
    pub fn identify(&self, asking: &mut Asking) {
        asking.on_number(self.0.texts.len());
        for text in &self.0.texts {
            asking.on(text.as_bytes());
        }
    }

    /// True if there are no globs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.set.is_empty()
    }

    /// True if a glob matches `path` or a folder above it.
    #[must_use]
    pub fn matches(&self, path: &BStr) -> bool {
        self.follow(self.start(), BStr::new(""), path) == Scope::Taken
    }

    fn start(&self) -> Scope {
        match self.0.roots.first() {
            None => Scope::Nowhere,
            Some(root) if root.is_empty() => Scope::Within,
            Some(_) => Scope::Above,
        }
    }

    /// The scope at `path`, which is relative to the folder `above`, whose scope is `scope`.
    fn follow(&self, scope: Scope, above: &BStr, path: &BStr) -> Scope {
        if path.is_empty() {
            return scope;
        }
        let whole = join(above, path);
        let first = if above.is_empty() { 0 } else { above.len() + 1 };
        let ends = whole[first..].find_iter("/").map(|end| first + end).chain([whole.len()]);
        ends.fold(scope, |scope, end| self.enter(scope, whole[..end].as_bstr()))
    }

    /// The scope at `path`; `above` is the scope of the folder that `path` is in.
    fn enter(&self, above: Scope, path: &BStr) -> Scope {
        let in_root = match above {
            Scope::Taken | Scope::Nowhere => return above,
            Scope::Within => true,
            Scope::Above => self.0.roots.contains(path),
        };
        if in_root {
            return if self.0.set.is_match(path.to_path_lossy()) { Scope::Taken } else { Scope::Within };
        }
        let mut inside = path.to_owned();
        inside.push(b'/');
        match self.0.roots.range(inside.clone()..).next() {
            Some(root) if root.starts_with(&inside) => Scope::Above,
            _ => Scope::Nowhere,
        }
    }
}

/// The leading components of `glob` that have no special characters.
fn root(glob: &str) -> BString {
    let plain = glob.split('/').take_while(|component| is_plain(component));
    plain.collect::<Vec<_>>().join("/").into()
}

/// True if a glob, or a part of a glob, has no special characters, so that it matches itself alone.
#[must_use]
pub fn is_plain(glob: &str) -> bool {
    !glob.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// The paths in a folder that the globs can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All paths: a glob matched the folder or a folder above it.
    Taken,
    /// Possibly any path.
    Within,
    /// Possibly paths in some folders of the folder.
    Above,
    /// No paths.
    Nowhere,
}

/// The use of the paths that the globs match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Include,
    Exclude,
}

/// The filter that takes the paths that globs match, or all other paths.
#[derive(Clone, Debug)]
pub struct GlobFilter {
    globs: Globs,
    /// The path of the tree in the repository; empty if the tree is the whole repository.
    place: BString,
    purpose: Use,
}

impl GlobFilter {
    /// The filter that takes only the paths that `globs` match. A folder is there if it is matched or holds a
    /// path that is.
    ///
    /// `place` is the path of the tree in the repository; empty if the tree is the whole repository.
    pub fn including(globs: Globs, place: impl Into<BString>) -> Self {
        Self { globs, place: place.into(), purpose: Use::Include }
    }

    /// The filter that takes all paths that `globs` do not match. Matched paths count as not in the tree: a
    /// folder that holds nothing else is not there either.
    ///
    /// `place` is the path of the tree in the repository; empty if the tree is the whole repository.
    pub fn excluding(globs: Globs, place: impl Into<BString>) -> Self {
        Self { globs, place: place.into(), purpose: Use::Exclude }
    }
}

impl Filter for GlobFilter {
    type State = Scope;

    fn root(&self) -> Scope {
        self.globs.follow(self.globs.start(), BStr::new(""), self.place.as_ref())
    }

    fn enter(&self, state: &Scope, path: &BStr, _kind: Kind) -> (Verdict, Scope) {
        let scope = if self.place.is_empty() {
            self.globs.enter(*state, path)
        } else {
            self.globs.enter(*state, join(self.place.as_bstr(), path).as_bstr())
        };
        let matched = scope == Scope::Taken;
        let included = matched == (self.purpose == Use::Include);
        (if included { Verdict::Included } else { Verdict::Excluded }, scope)
    }

    fn below(&self, state: &Scope) -> Option<bool> {
        match state {
            Scope::Taken => Some(self.purpose == Use::Include),
            Scope::Nowhere => Some(self.purpose == Use::Exclude),
            Scope::Within | Scope::Above => None,
        }
    }

    fn forgotten(&self, state: &Scope) -> bool {
        self.purpose == Use::Exclude && *state == Scope::Taken
    }
}

impl Identified for GlobFilter {
    fn identify(&self, asking: &mut Asking) {
        let purpose: &[u8] = match self.purpose {
            Use::Include => b"including globs v1",
            Use::Exclude => b"excluding globs v1",
        };
        self.globs.identify(asking.on(purpose).on(&self.place));
    }
}

#[cfg(test)]
mod tests;
