//! The rules of `.dockerignore`, to the letter of what a build does with them. Start with [`Rules`].
//!
//! The syntax is moby's (`github.com/moby/patternmatcher`), which is neither gitignore's nor that of any glob
//! library: `a**b` is `a(.*/)?b`, `**foo` compares a suffix, `{`, `|` and `}` reach a regular expression
//! unescaped. If the matcher's verdict on a single path differs from the paths that BuildKit's walk
//! (`filterFS.Walk` of `github.com/tonistiigi/fsutil`) sends, the rules follow the walk:
//!
//! - a pattern that matched a folder matches all below it, and later patterns still have their say;
//! - a pattern that was not asked about a folder, because it could not have changed the verdict, is
//!   asked about each path below it alone;
//! - an excluded folder is not entered when all exceptions are plain paths and none lies below it.
//!
//! In the order in which data flows: `lines` reads the file, `check` refuses what Go's matcher
//! refuses, `translate` turns a pattern into moby's expression, `syntax` parses that as Go does,
//! `program` and `automaton` run it name by name.
//!
//! Two differences are left: a pattern that BuildKit would refuse in the middle of a build is an error here
//! from the start, and so is a Unicode class (`\pL`).

mod automaton;
mod check;
mod classes;
mod lines;
mod program;
mod syntax;
mod translate;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bstr::{BStr, BString, ByteSlice};

use self::automaton::{Automaton, Position};
use crate::memo::Asking;
use crate::tree::{Filter, Identified, Kind, Verdict};

/// The error for a line of an ignore file that is not a valid pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the ignore file, `{pattern}`, is not a valid pattern: {reason}")]
pub struct IgnoreError {
    /// The number of the line, from 1.
    pub line: usize,
    /// The text of the line; of a long line only its first 80 bytes.
    pub pattern: BString,
    /// The fault of the line, with a way to mend it.
    pub reason: Reason,
}

impl IgnoreError {
    fn new(line: usize, pattern: &[u8], reason: Reason) -> Self {
        let shown = pattern.get(..80).unwrap_or(pattern);
        Self { line, pattern: shown.trim().into(), reason }
    }
}

/// The fault of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The line is too long: BuildKit reads lines of less than 64 KiB.
    #[error("it is longer than 64 KiB; split it")]
    TooLong,
    /// The line is a `!` alone.
    #[error("nothing follows the `!`; write a path after it")]
    NothingToExcept,
    /// The pattern is refused by Go's `filepath.Match`.
    #[error("a class `[..]` or an escape is not complete; write `\\[` or `\\\\` for the character itself")]
    Malformed,
    /// The pattern is not a regular expression once it is translated.
    #[error("{0}; write `\\` before a special character to take it as it is")]
    Expression(&'static str),
    /// The pattern's repetitions multiply to too large an expression.
    #[error("it stands for too large an expression; shorten it")]
    TooLarge,
}

/// One pattern, ready to be matched.
#[derive(Debug)]
struct Pattern {
    exception: bool,
    automaton: Automaton,
}

/// The rules of a `.dockerignore` file; as a [`Filter`], they take the paths of a context that are not
/// ignored.
#[derive(Debug, Default)]
pub struct Rules {
    patterns: Vec<Pattern>,
    /// The exceptions as folders (each with a slash at its end); none if one of them is not a plain path.
    plain_exceptions: Option<Vec<BString>>,
    /// The bytes of the ignore file.
    text: BString,
}

/// The memory that [`Rules`] have of the folders above a path: equal states decide alike on equal folders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// True if the patterns before `next` exclude everything below.
    excluded: bool,
    /// The number of the first pattern that can still change the verdict.
    next: usize,
    /// The positions of the patterns from `next` on, after the folder's path and a slash.
    positions: Vec<Position>,
}

impl Rules {
    /// Reads the rules from the bytes of an ignore file.
    pub fn parse(text: &[u8]) -> Result<Self, IgnoreError> {
        let mut rules = Self { patterns: Vec::new(), plain_exceptions: Some(Vec::new()), text: text.into() };
        for line in lines::read(text)? {
            let error = |reason| IgnoreError::new(line.number, &line.pattern, reason);
            if !check::well_formed(&line.pattern) {
                return Err(error(Reason::Malformed));
            }
            if line.exception {
                let folder = plain_folder(&line.pattern);
                rules.plain_exceptions = rules.plain_exceptions.zip(folder).map(|(mut plain, folder)| {
                    plain.push(folder);
                    plain
                });
            }
            let automaton = translate::compile(&line.pattern).map_err(error)?;
            rules.patterns.push(Pattern { exception: line.exception, automaton });
        }
        Ok(rules)
    }

    /// [`parse`](Self::parse), once per text: many images have ignore files of one text.
    pub fn shared(text: &[u8]) -> Result<Arc<Self>, IgnoreError> {
        static READ: LazyLock<Mutex<HashMap<Vec<u8>, Arc<Rules>>>> = LazyLock::new(Mutex::default);
        // Rules are inserted whole or not at all.
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = read.get(text) {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Self::parse(text)?);
        read.insert(text.to_owned(), Arc::clone(&rules));
        Ok(rules)
    }

    /// True if there are no rules, so that every path counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// True if the file at `path` is excluded when a walk comes to it.
    ///
    /// The path is relative to the context's root, with single slashes between its components.
    #[must_use]
    pub fn matches(&self, path: &BStr) -> bool {
        let mut state = self.root();
        for end in path.find_iter("/") {
            (_, state) = self.enter(&state, path[..end].as_bstr(), Kind::Folder);
        }
        self.enter(&state, path, Kind::File).0 == Verdict::Excluded
    }

    /// True if nothing of `path`, a file or a folder, is left.
    #[must_use]
    pub fn takes_all(&self, path: &BStr) -> bool {
        let (mut verdict, mut state) = (Verdict::Included, self.root());
        for end in path.find_iter("/").chain([path.len()]) {
            (verdict, state) = self.enter(&state, path[..end].as_bstr(), Kind::Folder);
        }
        verdict == Verdict::Excluded && self.below(&state) == Some(false)
    }

    /// The number of the line, from 1, that excludes the file at `path`; none if the file is not excluded.
    ///
    /// `text` is the ignore file that these rules were read from.
    #[must_use]
    pub fn line(&self, text: &[u8], path: &BStr) -> Option<usize> {
        if !self.matches(path) {
            return None;
        }
        let lines: Vec<&[u8]> = text.lines_with_terminator().collect();
        let excluded =
            |count: usize| Self::parse(&lines[..count].concat()).is_ok_and(|rules| rules.matches(path));
        // The line in question is the last one that turned the verdict. An exception can also open a folder:
        // so the search starts at the end.
        (1..=lines.len()).rev().find(|count| excluded(*count) && !excluded(count - 1))
    }

    /// True if a walk passes by the excluded folder at `path`, because no exception lies below the folder.
    fn passes_by(&self, path: &BStr) -> bool {
        let below =
            |exception: &BString| exception.strip_prefix(&**path).is_some_and(|rest| rest.starts_with(b"/"));
        self.plain_exceptions.as_ref().is_some_and(|exceptions| !exceptions.iter().any(below))
    }

    /// The state `state`, without its positions if they cannot change the verdict any more.
    fn settle(&self, state: State) -> State {
        match self.below(&state) {
            Some(included) => self.settled(!included),
            None => state,
        }
    }

    fn settled(&self, excluded: bool) -> State {
        State { excluded, next: self.patterns.len(), positions: Vec::new() }
    }
}

impl Filter for Rules {
    type State = State;

    fn root(&self) -> State {
        let positions = self.patterns.iter().map(|pattern| pattern.automaton.start()).collect();
        State { excluded: false, next: 0, positions }
    }

    fn enter(&self, state: &State, path: &BStr, kind: Kind) -> (Verdict, State) {
        let name = path.rfind_byte(b'/').map_or(&**path, |slash| &path[slash + 1..]);
        let is_folder = matches!(kind, Kind::Folder | Kind::Submodule);
        let mut excluded = state.excluded;
        let room = if is_folder { state.positions.len() } else { 0 };
        let mut below = State { excluded, next: state.next, positions: Vec::with_capacity(room) };
        for (index, position) in (state.next..).zip(&state.positions) {
            if position.is_dead() {
                if is_folder {
                    below.positions.push(position.clone());
                }
                continue;
            }
            let Pattern { exception, automaton } = &self.patterns[index];
            // The walk does not ask a pattern that cannot change the verdict, and so does not remember its
            // match.
            let asked = *exception == excluded;
            if !asked && !is_folder {
                continue;
            }
            let position = automaton.read(position, name);
            if asked && automaton.accepts(&position) {
                excluded = !exception;
                // The pattern matches everything below too, which settles what the patterns before it say
                // there.
                below = State { excluded, next: index + 1, positions: Vec::new() };
            } else if is_folder {
                below.positions.push(automaton.read(&position, b"/"));
            }
        }
        let below = if is_folder {
            if excluded && self.passes_by(path) { self.settled(true) } else { self.settle(below) }
        } else {
            self.settled(excluded)
        };
        (if excluded { Verdict::Excluded } else { Verdict::Included }, below)
    }

    fn below(&self, state: &State) -> Option<bool> {
        let mut excluded = state.excluded;
        for (pattern, position) in self.patterns[state.next..].iter().zip(&state.positions) {
            if pattern.exception != excluded || position.is_dead() {
                continue;
            }
            if !pattern.automaton.takes_every_name(position) {
                return None;
            }
            excluded = !excluded;
        }
        Some(!excluded)
    }
}

impl Identified for Rules {
    fn identify(&self, asking: &mut Asking) {
        asking.on(b".dockerignore v1").on(&self.text);
    }
}

/// The folder that an exception names, with a slash at its end, if the exception is a plain path. The walk
/// compares this text with a folder's path, so wildcards below the last slash do not count.
fn plain_folder(pattern: &BString) -> Option<BString> {
    let plain = pattern.strip_suffix(b"/**").unwrap_or(pattern);
    let plain = plain.strip_suffix(b"/*").unwrap_or(plain);
    (plain.find_byteset(r"*[]?^\").is_none()).then(|| [plain, b"/"].concat().into())
}

#[cfg(test)]
mod tests;
