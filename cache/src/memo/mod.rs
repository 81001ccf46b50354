//! What was found out about content once, so that no later run finds it out again. Start with [`Memo`].
//!
//! A [`Question`] is the digest of everything that its answer depends on, so an answer can never be out of date:
//! there is nothing to invalidate. What it cannot name is the code that computed the answer: a memo belongs to a
//! [`Fingerprint`], and other code has another one. The file can be deleted, damaged or replaced by another run at any time, which
//! costs time and nothing else: an answer that is not whole is none.

mod file;
mod recent;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use self::file::File;
use self::recent::{Gathering, Recent};
use crate::fingerprint::{Fingerprint, OwnFolder};

/// The file with all answers, and the small one beside it with those that the last runs used.
const ALL: &str = "memo";
const RECENT: &str = "memo-recent";

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
pub struct Asking {
    /// What the pieces are hashed with: the kind of question, or what was settled.
    key: [u8; 32],
    /// Not hashed yet: many small pieces are dearer than a large one.
    pieces: Vec<u8>,
}

impl Asking {
    /// A question of the kind `context`: a text that no other kind of question has.
    #[must_use]
    pub fn new(context: &str) -> Self {
        Self { key: blake3::derive_key(context, &[]), pieces: Vec::new() }
    }

    /// The answer depends on these bytes, and on where they end.
    pub fn on(&mut self, bytes: &[u8]) -> &mut Self {
        self.on_number(bytes.len());
        self.pieces.extend_from_slice(bytes);
        self
    }

    /// The answer depends on a number.
    pub fn on_number(&mut self, number: usize) -> &mut Self {
        if self.pieces.is_empty() {
            // Room for most questions at once.
            self.pieces.reserve(512);
        }
        self.pieces.extend_from_slice(&(number as u64).to_le_bytes());
        self
    }

    /// The answer depends on whether there are bytes, and on which.
    pub fn on_option(&mut self, bytes: Option<impl AsRef<[u8]>>) -> &mut Self {
        match bytes {
            Some(bytes) => self.on_number(1).on(bytes.as_ref()),
            None => self.on_number(0),
        }
    }

    /// Makes this the cheap beginning of many questions: what was taken in so far is not hashed again.
    pub fn settle(&mut self) {
        self.key = self.question().0;
        self.pieces.clear();
    }

    /// The question about all that was taken in.
    #[must_use]
    pub fn question(&self) -> Question {
        Question(*blake3::keyed_hash(&self.key, &self.pieces).as_bytes())
    }
}

/// The answers of earlier runs and of this one. It can be shared between threads.
#[derive(Debug)]
pub struct Memo {
    folder: OwnFolder,
    recent: Recent,
    file: OnceLock<Option<File>>,
    learned: Mutex<Learned>,
}

/// What this run found out, and what it asked for.
#[derive(Debug, Default)]
struct Learned {
    answers: BTreeMap<Question, Vec<u8>>,
    /// What was asked for and known, in this order.
    used: Vec<Question>,
    /// Whether all of that is in the small file already.
    is_usual: bool,
    /// Whether all answers are in the large one.
    is_saved: bool,
}

impl Memo {
    /// Opens what `code` found out in the folder `parent`: without answers where it has not run yet.
    #[must_use]
    pub fn open(parent: &Path, code: &Fingerprint) -> Self {
        let folder = code.folder(parent);
        let recent = Recent::open(&folder.file(RECENT));
        let learned = Learned { is_usual: true, is_saved: true, ..Learned::default() };
        Self { folder, recent, file: OnceLock::new(), learned: Mutex::new(learned) }
    }

    /// The answer, if one is known.
    #[must_use]
    pub fn recall(&self, question: &Question) -> Option<Vec<u8>> {
        if let Some(answer) = self.recent.find(question) {
            self.learned().used.push(*question);
            return Some(answer.to_vec());
        }
        let known = self.learned().answers.get(question).cloned();
        let answer = known.or_else(|| self.file()?.find(question))?;
        let mut learned = self.learned();
        learned.is_usual = false;
        learned.used.push(*question);
        Some(answer)
    }

    /// Keeps an answer.
    pub fn note(&self, question: Question, answer: Vec<u8>) {
        let mut learned = self.learned();
        learned.is_saved = false;
        learned.answers.insert(question, answer);
    }

    /// Writes what was found out to the file, in place of what is there.
    ///
    /// # Errors
    /// When the file cannot be written; the one that is there is left as it is.
    pub fn save(&self) -> io::Result<()> {
        let mut learned = self.learned();
        if learned.is_usual && learned.is_saved {
            return Ok(());
        }
        self.folder.make()?;
        if !learned.is_usual {
            let gathered = self.gather(&learned);
            // Where more was used than there is room for, that is so in each run.
            if !gathered.is_all_of(&self.recent) {
                gathered.write(&self.folder.file(RECENT))?;
            }
            learned.is_usual = true;
        }
        if !learned.is_saved {
            self.save_all(&learned)?;
            learned.is_saved = true;
        }
        Ok(())
    }

    /// What is to be in the small file: what was used, then what was there. What was found out is not: of most of it
    /// no next run asks, and of what it asks it is then used.
    fn gather(&self, learned: &Learned) -> Gathering {
        let mut gathering = Gathering::default();
        let used = learned.used.iter().rev().map(|question| (*question, recent::LIMIT));
        let idle = self.recent.questions().map(|question| (question, recent::IDLE));
        for (question, limit) in used.chain(idle) {
            let known = self.recent.find(&question).or_else(|| Some(learned.answers.get(&question)?));
            let room = match known {
                Some(answer) => gathering.take(question, answer, limit),
                None => match self.file().and_then(|file| file.find(&question)) {
                    Some(answer) => gathering.take(question, &answer, limit),
                    None => true,
                },
            };
            if !room {
                break;
            }
        }
        gathering
    }

    fn save_all(&self, learned: &Learned) -> io::Result<()> {
        let path = self.folder.file(ALL);
        let all = self.file().filter(|file| file.size() < LIMIT);
        let extended = all.map(|file| file::extend(&path, file, &learned.answers)).transpose()?;
        if extended.flatten().is_some() {
            return Ok(());
        }
        let mut answers = learned.answers.clone();
        if let Some(file) = self.file() {
            let used: HashSet<&Question> = learned.used.iter().collect();
            answers.extend(file.answers()?.filter(|(question, _)| all.is_some() || used.contains(question)));
        }
        file::write(&path, &answers)
    }

    /// The large file. Most runs have no use for it.
    fn file(&self) -> Option<&File> {
        self.file.get_or_init(|| File::open(&self.folder.file(ALL))).as_ref()
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        // An answer is inserted whole or not at all, so a panic elsewhere leaves nothing half done.
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
