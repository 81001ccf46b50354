//! The small file of a memo: the few answers that the last runs used, read as a whole. Start with [`Recent`].
//!
//! Most runs ask the questions of the run before. The format, all numbers little-endian: [`MAGIC`], the
//! BLAKE3 digest of all bytes after the digest (32 bytes), the number of answers (`u32`), the index in the
//! order of the questions, the answers. An entry of the index is the question (32 bytes), the offset of the
//! answer from the end of the index and the answer's length (`u32` each).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::Question;
use crate::draft;

const MAGIC: &[u8; 16] = b"dtbuild recent1\n";

/// The length of magic and digest in bytes, and the length of the head: magic, digest and number.
const SIGNED: usize = 48;
const HEAD: usize = 52;

/// The length of an entry of the index, in bytes.
const ENTRY: usize = 40;

/// The largest size of the file, in bytes.
pub(super) const LIMIT: usize = 1 << 20;

/// The size of the file, in bytes, up to which answers are kept that this run did not use: each run reads the
/// whole file.
pub(super) const IDLE: usize = 1 << 15;

/// The content of the small file.
#[derive(Debug, Default)]
pub(super) struct Recent {
    bytes: Vec<u8>,
    count: usize,
}

impl Recent {
    /// Reads the file at `path`; without answers if the file is missing or not whole.
    pub(super) fn open(path: &Path) -> Self {
        Self::read(path).unwrap_or_default()
    }

    fn read(path: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).ok()?;
        bytes.reserve_exact(usize::try_from(file.metadata().ok()?.len()).ok()?.min(LIMIT) + 1);
        file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).ok()?;
        let digest = bytes.strip_prefix(MAGIC)?.first_chunk::<32>()?;
        if blake3::hash(bytes.get(SIGNED..)?) != *digest {
            return None;
        }
        let count = usize::try_from(u32::from_le_bytes(*bytes[SIGNED..].first_chunk()?)).ok()?;
        (count <= (bytes.len() - HEAD) / ENTRY).then_some(Self { bytes, count })
    }

    /// The answer to `question`, if the file has it.
    pub(super) fn find(&self, question: &Question) -> Option<&[u8]> {
        let index: &[[u8; ENTRY]] = self.index();
        let found = index.binary_search_by(|entry| entry[..32].cmp(&question.0)).ok()?;
        self.answer(&index[found])
    }

    /// All questions that the file has the answers to, sorted.
    pub(super) fn questions(&self) -> impl Iterator<Item = Question> {
        self.index().iter().filter_map(|entry| Some(Question(*entry.first_chunk()?)))
    }

    fn index(&self) -> &[[u8; ENTRY]] {
        self.bytes.get(HEAD..HEAD + self.count * ENTRY).unwrap_or_default().as_chunks().0
    }

    fn answer(&self, entry: &[u8; ENTRY]) -> Option<&[u8]> {
        let number = |at: usize| usize::try_from(u32::from_le_bytes(*entry.get(at..)?.first_chunk()?)).ok();
        let start = HEAD + self.count * ENTRY + number(32)?;
        self.bytes.get(start..start.checked_add(number(36)?)?)
    }
}

/// The answers that are gathered for the next file, as long as there is room.
#[derive(Default)]
pub(super) struct Gathering {
    answers: BTreeMap<Question, Vec<u8>>,
    size: usize,
}

impl Gathering {
    /// Takes an answer in. False if the file would then be larger than `limit` bytes: the answer is left out.
    pub(super) fn take(&mut self, question: Question, answer: &[u8], limit: usize) -> bool {
        let size = self.size + ENTRY + answer.len();
        if HEAD + size > limit {
            return false;
        }
        if self.answers.insert(question, answer.to_vec()).is_none() {
            self.size = size;
        }
        true
    }

    /// True if the gathered questions are exactly the questions of `recent`.
    pub(super) fn is_all_of(&self, recent: &Recent) -> bool {
        self.answers.keys().copied().eq(recent.questions())
    }

    /// Writes the file, in place of the file at `path`.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let number = |number: usize| u32::try_from(number).map_err(io::Error::other);
        let mut bytes = number(self.answers.len())?.to_le_bytes().to_vec();
        let mut offset = 0;
        for (question, answer) in &self.answers {
            bytes.extend(question.0);
            bytes.extend(number(offset)?.to_le_bytes());
            bytes.extend(number(answer.len())?.to_le_bytes());
            offset += answer.len();
        }
        self.answers.values().for_each(|answer| bytes.extend_from_slice(answer));
        let digest = blake3::hash(&bytes);
        draft::replace(path, &[MAGIC, digest.as_bytes(), &bytes])
    }
}
