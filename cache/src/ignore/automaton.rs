//! A pattern as a deterministic automaton: a table look-up per rune. Start with [`Automaton`].
//!
//! The table is made from a [`Program`] in full. The few patterns whose table would grow too large are read
//! from the program itself, which is slower and gives equal verdicts.

use std::collections::HashMap;

use super::classes::LAST;
use super::program::{Cursor, Neighbour, Program, Unit};

/// The largest number of states of a table; a usual pattern needs a few more than it has characters.
const MOST_STATES: usize = 1024;

/// The number of the state from which no continuation leads to a match.
const DEAD: u32 = 0;

/// The position of an automaton after some text: all that the text means for the text that follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Position {
    /// A state of the table.
    State(u32),
    /// Places in the program.
    Places(Cursor),
}

/// A compiled pattern that can be fed a path piece by piece.
#[derive(Debug)]
pub(super) enum Automaton {
    /// An automaton that is read from its table.
    Table(Table),
    /// An automaton that is read from its program.
    Program(Program),
}

impl Automaton {
    /// The automaton that behaves as `program` does.
    pub(super) fn new(program: Program) -> Self {
        match Table::build(&program) {
            Some(table) => Self::Table(table),
            None => Self::Program(program),
        }
    }

    /// The position before any text.
    pub(super) fn start(&self) -> Position {
        match self {
            Self::Table(table) => Position::State(table.start),
            Self::Program(program) => Position::Places(program.start()),
        }
    }

    /// The position after reading `text` at `position`, which this automaton gave.
    pub(super) fn read(&self, position: &Position, text: &[u8]) -> Position {
        match (self, position) {
            (Self::Table(table), Position::State(state)) => Position::State(table.read(*state, text)),
            (Self::Program(program), Position::Places(cursor)) => {
                Position::Places(program.read(cursor, text))
            }
            _ => unreachable!("a position belongs to the automaton that gave it"),
        }
    }

    /// True if the text read so far is a path that matches.
    pub(super) fn accepts(&self, position: &Position) -> bool {
        match (self, position) {
            (Self::Table(table), Position::State(state)) => table.rows[*state as usize].accepts,
            (Self::Program(program), Position::Places(cursor)) => program.accepts(cursor),
            _ => unreachable!("a position belongs to the automaton that gave it"),
        }
    }

    /// True if every name matches in the folder whose path (with a slash) was read. An automaton without a
    /// table never says so.
    pub(super) fn takes_every_name(&self, position: &Position) -> bool {
        match (self, position) {
            (Self::Table(table), Position::State(state)) => table.rows[*state as usize].takes_every_name,
            _ => false,
        }
    }
}

impl Position {
    /// True if no path that continues the text can match.
    pub(super) fn is_dead(&self) -> bool {
        match self {
            Self::State(state) => *state == DEAD,
            Self::Places(cursor) => cursor.places.is_empty(),
        }
    }
}

/// The states of a deterministic automaton over classes of units that the program cannot tell apart.
#[derive(Debug)]
pub(super) struct Table {
    unit: Unit,
    /// The first unit of every class of units, in order.
    classes: Vec<u32>,
    /// The class of every unit below 256.
    small: Box<[u16; 256]>,
    /// The class of the slash.
    slash: usize,
    rows: Vec<Row>,
    start: u32,
}

/// The row of one state.
#[derive(Debug, Default)]
struct Row {
    /// The next state for each class of units.
    next: Vec<u32>,
    accepts: bool,
    takes_every_name: bool,
}

impl Table {
    fn build(program: &Program) -> Option<Self> {
        let classes = classes(program);
        let class_of = |unit: u32| classes.partition_point(|&first| first <= unit) - 1;
        let mut small = Box::new([0; 256]);
        for (unit, class) in (0..).zip(small.iter_mut()) {
            *class = u16::try_from(class_of(unit)).ok()?;
        }
        let slash = class_of('/'.into());
        let mut table = Self {
            unit: program.unit(),
            small,
            slash,
            rows: determinise(program, &classes)?,
            start: 1,
            classes,
        };
        table.bury_the_dead();
        table.mark_takers_of_every_name();
        Some(table)
    }

    fn read(&self, mut state: u32, text: &[u8]) -> u32 {
        if state == DEAD {
            return DEAD;
        }
        let step = |state: u32, class: usize| self.rows[state as usize].next[class];
        if text.is_ascii() {
            return text.iter().fold(state, |state, &byte| step(state, self.small[usize::from(byte)].into()));
        }
        self.unit.each(text, |unit| {
            let class = match usize::try_from(unit) {
                Ok(unit) if unit < 256 => self.small[unit].into(),
                _ => self.classes.partition_point(|&first| first <= unit) - 1,
            };
            state = step(state, class);
        });
        state
    }

    /// Replaces every next state that can no longer reach a match by [`DEAD`].
    fn bury_the_dead(&mut self) {
        let live = self.reaching(|row| row.accepts, None);
        for row in &mut self.rows {
            for next in &mut row.next {
                if !live[*next as usize] {
                    *next = DEAD;
                }
            }
        }
        if !live[self.start as usize] {
            self.start = DEAD;
        }
    }

    fn mark_takers_of_every_name(&mut self) {
        let refused = self.rows.iter().map(|row| !row.accepts).collect::<Vec<_>>();
        let slash = self.slash;
        let refuses_one = |row: &Row| {
            row.next.iter().enumerate().any(|(class, &next)| class != slash && refused[next as usize])
        };
        let refusing = self.reaching(refuses_one, Some(slash));
        for (row, refusing) in self.rows.iter_mut().zip(refusing) {
            row.takes_every_name = !refusing;
        }
    }

    /// The states, marked with true, from which a state with a `goal` row can be reached without reading the
    /// class `barred`.
    fn reaching(&self, goal: impl Fn(&Row) -> bool, barred: Option<usize>) -> Vec<bool> {
        let mut sources = vec![Vec::new(); self.rows.len()];
        for (state, row) in self.rows.iter().enumerate() {
            for (class, &next) in row.next.iter().enumerate() {
                if Some(class) != barred && sources[next as usize].last() != Some(&state) {
                    sources[next as usize].push(state);
                }
            }
        }
        let mut reaching: Vec<bool> = self.rows.iter().map(goal).collect();
        let mut open: Vec<usize> = (0..self.rows.len()).filter(|&state| reaching[state]).collect();
        while let Some(state) = open.pop() {
            for &source in &sources[state] {
                if !std::mem::replace(&mut reaching[source], true) {
                    open.push(source);
                }
            }
        }
        reaching
    }
}

/// The first units, in order, of the classes of units that `program` cannot tell apart; the slash has a class
/// of its own.
fn classes(program: &Program) -> Vec<u32> {
    let mut firsts = vec![0, u32::from('/'), u32::from('/') + 1];
    for set in program.sets() {
        firsts.extend(set.iter().flat_map(|&(low, high)| [low, high + 1]));
    }
    if program.asks_for_words() {
        firsts.extend("0:A[_`a{".chars().map(u32::from));
    }
    firsts.sort_unstable();
    firsts.dedup();
    firsts.retain(|&first| first <= LAST);
    firsts
}

/// The rows of all states that `program` can be in: 0 is dead, 1 the start. None if there are too many
/// states.
fn determinise(program: &Program, classes: &[u32]) -> Option<Vec<Row>> {
    let mut rows = vec![Row { next: vec![DEAD; classes.len()], ..Row::default() }];
    let mut numbers: HashMap<Cursor, u32> = HashMap::new();
    let mut open = vec![program.start()];
    numbers.insert(program.start(), 1);
    rows.push(Row::default());
    while let Some(cursor) = open.pop() {
        let expanded = [Neighbour::Other, Neighbour::Word].map(|after| program.expand(&cursor, after));
        let mut row = Row { accepts: program.accepts(&cursor), ..Row::default() };
        for &first in classes {
            let places = &expanded[usize::from(program.kind(first) == Neighbour::Word)];
            let next = program.step_from(places, first);
            let number = if next.places.is_empty() {
                DEAD
            } else if let Some(&number) = numbers.get(&next) {
                number
            } else {
                let number = u32::try_from(rows.len()).ok()?;
                rows.push(Row::default());
                numbers.insert(next.clone(), number);
                open.push(next);
                number
            };
            row.next.push(number);
        }
        if rows.len() > MOST_STATES {
            return None;
        }
        rows[numbers[&cursor] as usize] = row;
    }
    Some(rows)
}
