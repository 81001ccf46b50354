//! What was found out about content once, so that no later run finds it out again. Start with [`Memo`].
//!
//! A [`Question`] is the digest of everything that its answer depends on, so an answer can never be out of date:
//! there is nothing to invalidate. The file can be deleted, damaged or replaced by another run at any time, which
//! costs time and nothing else: an answer that is not whole is none.

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::file::File;

/// The most bytes that a file grows to. Beyond, only what was of use in this run is kept.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Everything that an answer depends on, as one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question([u8; 32]);

impl Question {
    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Takes in, piece by piece, what an answer depends on.
#[derive(Clone, Debug)]
pub struct Asking(blake3::Hasher);

impl Asking {
    /// A question of the kind `context`: a text that no other kind of question has, with a version to raise when
    /// the same pieces come to mean something else.
    #[must_use]
    pub fn new(context: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    /// The answer depends on these bytes, and on where they end.
    pub fn on(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        self
    }

    /// The answer depends on a number.
    pub fn on_number(&mut self, number: usize) -> &mut Self {
        self.0.update(&(number as u64).to_le_bytes());
        self
    }

    /// The question about all that was taken in.
    #[must_use]
    pub fn question(&self) -> Question {
        Question(*self.0.finalize().as_bytes())
    }
}

/// The answers of earlier runs and of this one. It can be shared between threads.
#[derive(Debug)]
pub struct Memo {
    path: PathBuf,
    file: Option<File>,
    learned: Mutex<Learned>,
}

/// What this run found out, and what it asked for.
#[derive(Debug, Default)]
struct Learned {
    answers: BTreeMap<Question, Vec<u8>>,
    used: HashSet<Question>,
    changed: bool,
}

impl Memo {
    /// Opens the file at `path`; without answers when there is none.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let file = File::open(&path);
        Self { path, file, learned: Mutex::default() }
    }

    /// The answer, if one is known.
    #[must_use]
    pub fn recall(&self, question: &Question) -> Option<Vec<u8>> {
        if let Some(answer) = self.file.as_ref().and_then(|file| file.find(question)) {
            self.learned().used.insert(*question);
            return Some(answer);
        }
        self.learned().answers.get(question).cloned()
    }

    /// Keeps an answer.
    pub fn note(&self, question: Question, answer: Vec<u8>) {
        let mut learned = self.learned();
        learned.changed = true;
        learned.answers.insert(question, answer);
    }

    /// Writes what was found out to the file, in place of what is there.
    ///
    /// # Errors
    /// When the file cannot be written; the one that is there is left as it is.
    pub fn save(&self) -> io::Result<()> {
        let mut learned = self.learned();
        if !learned.changed {
            return Ok(());
        }
        let mut answers = learned.answers.clone();
        if let Some(file) = &self.file {
            let all = file.size() < LIMIT;
            answers.extend(file.answers()?.filter(|(question, _)| all || learned.used.contains(question)));
        }
        file::write(&self.path, &answers)?;
        learned.changed = false;
        Ok(())
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        // An answer is inserted whole or not at all, so a panic elsewhere leaves nothing half done.
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
