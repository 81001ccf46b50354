//! The memo: answers about content that one run computed, kept so that no later run computes them again.
//! Start with [`Memo`].
//!
//! A [`Question`] is the digest of everything that its answer depends on, so an answer can never be out of
//! date: there is nothing to invalidate. A question cannot name the code that computed the answer: therefore
//! a memo belongs to a [`Fingerprint`], and other code has another memo. The memo's files can be deleted,
//! damaged or replaced by another run at any time, which costs time and nothing else: an answer that is not
//! whole is treated as unknown.

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

/// The names of the large file with all answers, and of the small file beside it with the answers that the
/// last runs used.
const ALL: &str = "memo";
const RECENT: &str = "memo-recent";

/// The size of the large file, in bytes, from which on only the answers that this run used or computed are
/// kept.
const LIMIT: u64 = 64 * 1024 * 1024;

/// A question: everything that its answer depends on, as one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question([u8; 32]);

impl Question {
    /// The question's digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The builder of a [`Question`], which takes in, piece by piece, everything that the answer depends on.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The BLAKE3 key that the pieces are hashed with: the kind of question, or the digest of the settled
    /// beginning.
    key: [u8; 32],
    /// The pieces that are not hashed yet: to hash many small pieces is dearer than to hash one large piece.
    pieces: Vec<u8>,
}

impl Asking {
    /// A question of the kind `context`: a text that no other kind of question has.
    #[must_use]
    pub fn new(context: &str) -> Self {
        Self { key: blake3::derive_key(context, &[]), pieces: Vec::new() }
    }

    /// Adds bytes, and the place where they end, to what the answer depends on.
    pub fn on(&mut self, bytes: &[u8]) -> &mut Self {
        self.on_number(bytes.len());
        self.pieces.extend_from_slice(bytes);
        self
    }

    /// Adds a number to what the answer depends on.
    pub fn on_number(&mut self, number: usize) -> &mut Self {
        if self.pieces.is_empty() {
            // Room for most questions at once.
            self.pieces.reserve(512);
        }
        self.pieces.extend_from_slice(&(number as u64).to_le_bytes());
        self
    }

    /// Adds bytes that may be missing to what the answer depends on: missing bytes differ from empty bytes.
    pub fn on_option(&mut self, bytes: Option<impl AsRef<[u8]>>) -> &mut Self {
        match bytes {
            Some(bytes) => self.on_number(1).on(bytes.as_ref()),
            None => self.on_number(0),
        }
    }

    /// Makes the pieces so far the cheap beginning of many questions: they are hashed once, and not again for
    /// each question.
    pub fn settle(&mut self) {
        self.key = self.question().0;
        self.pieces.clear();
    }

    /// The question about all pieces that were taken in.
    #[must_use]
    pub fn question(&self) -> Question {
        Question(*blake3::keyed_hash(&self.key, &self.pieces).as_bytes())
    }
}

/// The memo: the answers of earlier runs and of this run. It can be shared between threads.
#[derive(Debug)]
pub struct Memo {
    folder: OwnFolder,
    recent: Recent,
    file: OnceLock<Option<File>>,
    learned: Mutex<Learned>,
}

/// The answers that this run computed, and the questions that this run asked.
#[derive(Debug, Default)]
struct Learned {
    answers: BTreeMap<Question, Vec<u8>>,
    /// The questions that were asked and had a known answer, in the order of asking.
    used: Vec<Question>,
    /// True if the answers to all of `used` are in the small file already.
    is_usual: bool,
    /// True if all of `answers` are in the large file.
    is_saved: bool,
}

impl Memo {
    /// Opens the answers that `code` computed, in the folder `parent`; there are none if this code has not
    /// run yet.
    #[must_use]
    pub fn open(parent: &Path, code: &Fingerprint) -> Self {
        let folder = code.folder(parent);
        let recent = Recent::open(&folder.file(RECENT));
        let learned = Learned { is_usual: true, is_saved: true, ..Learned::default() };
        Self { folder, recent, file: OnceLock::new(), learned: Mutex::new(learned) }
    }

    /// The answer to `question`, if one is known.
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

    /// Keeps the answer to `question`.
    pub fn note(&self, question: Question, answer: Vec<u8>) {
        let mut learned = self.learned();
        learned.is_saved = false;
        learned.answers.insert(question, answer);
    }

    /// Writes the new answers to the large file, and the used answers to the small file, in place of the
    /// files that are there.
    ///
    /// # Errors
    /// Fails if a file cannot be written; the file that is there then stays as it is.
    pub fn save(&self) -> io::Result<()> {
        let mut learned = self.learned();
        if learned.is_usual && learned.is_saved {
            return Ok(());
        }
        self.folder.make()?;
        if !learned.is_usual {
            let gathered = self.gather(&learned);
            // A run that uses more answers than there is room for is followed by runs that do too.
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

    /// The answers for the next small file: those that this run used, then those of the old small file. New
    /// answers are not among them: no next run asks for most new answers, and an answer that a next run asks
    /// for is then a used one.
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

    /// The large file, opened on first use: most runs do not need it.
    fn file(&self) -> Option<&File> {
        self.file.get_or_init(|| File::open(&self.folder.file(ALL))).as_ref()
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        // An answer is inserted whole or not at all, so a panic elsewhere leaves nothing half done.
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
