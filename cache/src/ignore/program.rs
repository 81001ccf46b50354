//! A pattern as a nondeterministic automaton, read rune by rune. Start with [`Program`].
//!
//! A program's [`Cursor`] holds all that the text read so far means for the text that is still to come, so a
//! walk can keep one cursor per folder and go on from there with each name.

use super::classes::{self, Ranges};
use super::syntax::Ast;

/// The largest number of instructions. Go's own limit lies higher; a pattern of this size is not one that
/// somebody wrote.
const LARGEST: usize = 20_000;

/// The unit that a program reads at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes: plain text is compared as it is.
    Byte,
    /// Runes, as Go's regular expressions do: a byte that is not part of a valid rune is U+FFFD.
    Rune,
}

/// An instruction of a program; the numbers are places in [`Program::code`].
#[derive(Debug)]
enum Step {
    /// Reads one unit of the set, then goes on at the place.
    Read(Ranges, u32),
    /// Goes on at both places.
    Split(u32, u32),
    /// Goes on at the place if the condition holds.
    Assert(Condition, u32),
    /// The path matches, whatever follows.
    Match,
}

/// The condition of an assertion on the place between two units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Begin,
    End,
    WordBoundary(bool),
}

/// The neighbour of a place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Neighbour {
    /// No neighbour: the text begins or ends here.
    Edge,
    /// A letter, digit or underscore of ASCII.
    Word,
    /// Anything else.
    Other,
}

/// All places where a program can be after reading some text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Cursor {
    /// The places, in order, without repetition; nothing is decided yet about assertions that stand there.
    pub(super) places: Box<[u32]>,
    /// The unit that was read last; `Other` instead of `Word` if the program cannot tell them apart.
    pub(super) before: Neighbour,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    code: Vec<Step>,
    start: u32,
    unit: Unit,
    words: bool,
}

impl Program {
    /// Compiles `ast`, to be found anywhere in a path. None if the program grows too large.
    pub(super) fn compile(ast: &Ast, unit: Unit) -> Option<Self> {
        let mut program = Self { code: vec![Step::Match], start: 0, unit, words: false };
        let alternatives = match ast {
            Ast::Alternate(alternatives) => alternatives.as_slice(),
            _ => std::slice::from_ref(ast),
        };
        let mut starts = Vec::with_capacity(alternatives.len());
        for alternative in alternatives {
            let start = program.emit(alternative, 0)?;
            // An expression that begins at the path's start needs no search, and so can be given up early.
            starts.push(if begins_at_start(alternative) { start } else { program.search(start)? });
        }
        program.start = program.either(&starts)?;
        Some(program)
    }

    /// The cursor before any text was read.
    pub(super) fn start(&self) -> Cursor {
        Cursor { places: Box::new([self.start]), before: Neighbour::Edge }
    }

    /// The cursor after `text` is read at `cursor`.
    pub(super) fn read(&self, cursor: &Cursor, text: &[u8]) -> Cursor {
        let mut cursor = cursor.clone();
        self.unit.each(text, |unit| cursor = self.step(&cursor, unit));
        cursor
    }

    /// The cursor after `unit` is read at `cursor`.
    fn step(&self, cursor: &Cursor, unit: u32) -> Cursor {
        self.step_from(&self.expand(cursor, self.kind(unit)), unit)
    }

    /// The cursor after `unit` is read at the expanded `places`.
    pub(super) fn step_from(&self, places: &[u32], unit: u32) -> Cursor {
        let mut next: Vec<u32> = Vec::new();
        for &place in places {
            match &self.code[place as usize] {
                Step::Read(set, then) if classes::contains(set, unit) => next.push(*then),
                // The other places do not matter any more; one cursor stands for all cursors with a match.
                Step::Match => return Cursor { places: Box::new([place]), before: Neighbour::Other },
                _ => {}
            }
        }
        next.sort_unstable();
        next.dedup();
        Cursor { places: next.into(), before: self.kind(unit) }
    }

    /// True if the text read so far is a path that matches.
    pub(super) fn accepts(&self, cursor: &Cursor) -> bool {
        let places = self.expand(cursor, Neighbour::Edge);
        places.iter().any(|&place| matches!(self.code[place as usize], Step::Match))
    }

    /// The places that read or match, if `after` follows the cursor.
    pub(super) fn expand(&self, cursor: &Cursor, after: Neighbour) -> Vec<u32> {
        let mut seen = vec![false; self.code.len()];
        let mut open = cursor.places.to_vec();
        let mut places = Vec::new();
        while let Some(place) = open.pop() {
            if std::mem::replace(&mut seen[place as usize], true) {
                continue;
            }
            match &self.code[place as usize] {
                Step::Read(..) | Step::Match => places.push(place),
                Step::Split(left, right) => open.extend([*left, *right]),
                Step::Assert(condition, then) => {
                    if condition.holds(cursor.before, after) {
                        open.push(*then);
                    }
                }
            }
        }
        places
    }

    /// The kind of neighbour that `unit` is, as far as this program can tell.
    pub(super) fn kind(&self, unit: u32) -> Neighbour {
        let word = u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if self.words && word { Neighbour::Word } else { Neighbour::Other }
    }

    /// The unit that the program reads at a time.
    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// The sets that the program reads.
    pub(super) fn sets(&self) -> impl Iterator<Item = &Ranges> {
        self.code.iter().filter_map(|step| match step {
            Step::Read(set, _) => Some(set),
            _ => None,
        })
    }

    /// True if the program asks for word boundaries.
    pub(super) fn asks_for_words(&self) -> bool {
        self.words
    }

    fn push(&mut self, step: Step) -> Option<u32> {
        self.code.push(step);
        (self.code.len() <= LARGEST).then(|| u32::try_from(self.code.len() - 1).ok())?
    }

    /// Emits instructions that match `ast` and then go on at `then`; returns the place where they start. None
    /// if the program grows too large.
    fn emit(&mut self, ast: &Ast, then: u32) -> Option<u32> {
        match ast {
            Ast::Empty => Some(then),
            Ast::Class(set) => self.push(Step::Read(set.clone(), then)),
            Ast::Begin => self.push(Step::Assert(Condition::Begin, then)),
            Ast::End => self.push(Step::Assert(Condition::End, then)),
            Ast::WordBoundary(is) => {
                self.words = true;
                self.push(Step::Assert(Condition::WordBoundary(*is), then))
            }
            Ast::Concat(parts) => parts.iter().rev().try_fold(then, |then, part| self.emit(part, then)),
            Ast::Alternate(parts) => {
                let starts = parts.iter().map(|part| self.emit(part, then)).collect::<Option<Vec<_>>>()?;
                self.either(&starts)
            }
            Ast::Repeat(part, least, most) => {
                let mut start = match most {
                    None => self.any_number(part, then)?,
                    Some(most) => (*least..*most).try_fold(then, |next, _| {
                        let once = self.emit(part, next)?;
                        self.push(Step::Split(once, then))
                    })?,
                };
                for _ in 0..*least {
                    start = self.emit(part, start)?;
                }
                Some(start)
            }
        }
    }

    fn any_number(&mut self, part: &Ast, then: u32) -> Option<u32> {
        let choice = self.push(Step::Split(then, then))?;
        let body = self.emit(part, choice)?;
        self.code[choice as usize] = Step::Split(body, then);
        Some(choice)
    }

    /// Emits a search for the instructions at `start`.
    fn search(&mut self, start: u32) -> Option<u32> {
        self.any_number(&Ast::Class(vec![(0, classes::LAST)]), start)
    }

    fn either(&mut self, starts: &[u32]) -> Option<u32> {
        let (&last, others) = starts.split_last()?;
        others.iter().rev().try_fold(last, |other, &start| self.push(Step::Split(start, other)))
    }
}

impl Condition {
    fn holds(self, before: Neighbour, after: Neighbour) -> bool {
        match self {
            Self::Begin => before == Neighbour::Edge,
            Self::End => after == Neighbour::Edge,
            Self::WordBoundary(is) => ((before == Neighbour::Word) != (after == Neighbour::Word)) == is,
        }
    }
}

impl Unit {
    /// Calls `visit` with every unit of `text`.
    pub(super) fn each(self, text: &[u8], mut visit: impl FnMut(u32)) {
        match self {
            Self::Byte => text.iter().for_each(|&byte| visit(byte.into())),
            Self::Rune => {
                for chunk in text.utf8_chunks() {
                    chunk.valid().chars().for_each(|rune| visit(rune.into()));
                    chunk.invalid().iter().for_each(|_| visit(char::REPLACEMENT_CHARACTER.into()));
                }
            }
        }
    }
}

fn begins_at_start(ast: &Ast) -> bool {
    match ast {
        Ast::Begin => true,
        Ast::Concat(parts) => parts.first().is_some_and(begins_at_start),
        _ => false,
    }
}
