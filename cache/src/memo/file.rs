//! The large file of a memo. Start with [`File`].
//!
//! The format, all numbers little-endian: [`MAGIC`], the number of answers (`u64`), the index in the order of
//! the questions, the answers one after the other. An entry of the index is the question (32 bytes), the
//! offset of the answer from the end of the index (`u64`), the answer's length (`u32`), and the first four
//! bytes of the BLAKE3 digest of question, offset, length and answer. Questions are digests, evenly spread,
//! so the first bytes of a question tell the place of its entry: mostly one read of a page finds the entry,
//! however many entries there are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::Question;
use crate::draft;

const MAGIC: &[u8; 16] = b"dtbuild memo 1\n\0";

/// The length of the head in bytes: magic and number.
const HEAD: usize = 24;

/// The length of an entry in bytes, and the length of the entry without its checksum.
const ENTRY: usize = 48;
const CHECKED: usize = 44;

/// The number of entries that are read at once: a page.
const PAGE: usize = 85;

/// The length of the longest answer, in bytes.
const LONGEST: u32 = 16 * 1024 * 1024;

/// An open file, of which only the asked places are read.
#[derive(Debug)]
pub(super) struct File {
    handle: fs::File,
    count: u64,
    size: u64,
}

/// The place of an answer: its entry of the index, read.
struct Place {
    offset: u64,
    length: u32,
    entry: [u8; ENTRY],
}

impl File {
    /// Opens the file at `path`; none if the file cannot be read or has another format.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let handle = fs::File::open(path).ok()?;
        let size = handle.metadata().ok()?.len();
        let mut head = [0; HEAD];
        handle.read_exact_at(&mut head, 0).ok()?;
        let count = u64::from_le_bytes(*head.strip_prefix(MAGIC)?.first_chunk()?);
        (count <= size / ENTRY as u64).then_some(Self { handle, count, size })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The answer to `question`, if the file has it whole.
    pub(super) fn find(&self, question: &Question) -> Option<Vec<u8>> {
        let place = self.place(question)?;
        let mut answer = vec![0; usize::try_from(place.length).ok()?];
        self.handle.read_exact_at(&mut answer, self.answers_start().checked_add(place.offset)?).ok()?;
        place.is_of(&answer).then_some(answer)
    }

    /// All answers of the file that are whole, with their questions.
    pub(super) fn answers(&self) -> io::Result<impl Iterator<Item = (Question, Vec<u8>)>> {
        let mut bytes = Vec::new();
        let mut file = &self.handle;
        io::Seek::seek(&mut file, io::SeekFrom::Start(HEAD as u64))?;
        io::Read::read_to_end(&mut file, &mut bytes)?;
        let index = usize::try_from(self.count).unwrap_or(usize::MAX).saturating_mul(ENTRY);
        let answers = bytes.split_off(index.min(bytes.len()));
        let entries: Vec<[u8; ENTRY]> = bytes.as_chunks::<ENTRY>().0.to_vec();
        Ok(entries.into_iter().filter_map(move |entry| {
            let place = Place::read(&entry)?;
            let start = usize::try_from(place.offset).ok()?;
            let answer = answers.get(start..start.checked_add(usize::try_from(place.length).ok()?)?)?;
            let question = Question(*entry.first_chunk()?);
            place.is_of(answer).then(|| (question, answer.to_vec()))
        }))
    }

    fn answers_start(&self) -> u64 {
        HEAD as u64 + self.count * ENTRY as u64
    }

    /// Finds the entry of `question`: first on the page that the question's first bytes tell, then page by
    /// page towards it.
    fn place(&self, question: &Question) -> Option<Place> {
        let leading = u64::from_be_bytes(*question.0.first_chunk()?);
        let guess = u64::try_from((u128::from(leading) * u128::from(self.count)) >> 64).ok()?;
        let mut first = guess.saturating_sub(PAGE as u64 / 2);
        let mut page = [0; PAGE * ENTRY];
        let mut went_up = None;
        while first < self.count {
            let entries = usize::try_from((PAGE as u64).min(self.count - first)).ok()?;
            let page = &mut page[..entries * ENTRY];
            self.handle.read_exact_at(page, HEAD as u64 + first * ENTRY as u64).ok()?;
            let entries: &[[u8; ENTRY]] = page.as_chunks().0;
            match entries.binary_search_by(|entry| entry[..32].cmp(&question.0)) {
                Ok(found) => return Place::read(&entries[found]),
                // The question lies between two pages that were read, or before the first entry.
                Err(0) if first == 0 || went_up == Some(true) => return None,
                Err(0) => (first, went_up) = (first.saturating_sub(PAGE as u64), Some(false)),
                Err(end) if end < entries.len() || went_up == Some(false) => return None,
                Err(_) => (first, went_up) = (first + PAGE as u64, Some(true)),
            }
        }
        None
    }
}

impl Place {
    fn read(entry: &[u8; ENTRY]) -> Option<Self> {
        let offset = u64::from_le_bytes(*entry.get(32..)?.first_chunk()?);
        let length = u32::from_le_bytes(*entry.get(40..)?.first_chunk()?);
        (length <= LONGEST).then_some(Self { offset, length, entry: *entry })
    }

    /// True if `answer` is the answer that was written with this entry.
    fn is_of(&self, answer: &[u8]) -> bool {
        self.entry[CHECKED..] == checksum(&self.entry[..CHECKED], answer)
    }
}

fn checksum(entry: &[u8], answer: &[u8]) -> [u8; ENTRY - CHECKED] {
    let digest = blake3::Hasher::new().update(entry).update(answer).finalize();
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

/// Writes a file with `answers`, in place of the file at `path`.
pub(super) fn write(path: &Path, answers: &BTreeMap<Question, Vec<u8>>) -> io::Result<()> {
    write_index(path, &entries(answers, 0)?, &[], answers)
}

/// Writes a file with the answers of `old` and these `answers`, in place of the file at `path`.
///
/// The answers of `old` are copied without a look at them: they stay in their places, and are checked when
/// they are asked for. So a new answer costs about as much as a copy of the file. None if the index of `old`
/// is damaged.
pub(super) fn extend(
    path: &Path,
    old: &File,
    answers: &BTreeMap<Question, Vec<u8>>,
) -> io::Result<Option<()>> {
    let mut bytes = Vec::new();
    let mut file = &old.handle;
    io::Seek::seek(&mut file, io::SeekFrom::Start(HEAD as u64))?;
    io::Read::read_to_end(&mut file, &mut bytes)?;
    let end = usize::try_from(old.count).unwrap_or(usize::MAX).saturating_mul(ENTRY);
    let Some((index, kept)) = bytes.split_at_checked(end) else { return Ok(None) };
    let known: &[[u8; ENTRY]] = index.as_chunks().0;
    if !known.is_sorted_by(|one, next| one[..32] < next[..32]) {
        return Ok(None);
    }
    let new = entries(answers, kept.len() as u64)?;
    let mut merged = Vec::with_capacity(known.len() + new.len());
    let mut known = known.iter().peekable();
    for entry in new {
        while let Some(before) = known.next_if(|known| known[..32] < entry[..32]) {
            merged.push(*before);
        }
        // An answer that was computed again was not whole in the old file.
        known.next_if(|known| known[..32] == entry[..32]);
        merged.push(entry);
    }
    merged.extend(known);
    write_index(path, &merged, kept, answers).map(Some)
}

/// The entries of the index for `answers`, the first of which is at `offset`.
fn entries(answers: &BTreeMap<Question, Vec<u8>>, mut offset: u64) -> io::Result<Vec<[u8; ENTRY]>> {
    let entry = |(question, answer): (&Question, &Vec<u8>)| {
        let length = u32::try_from(answer.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("an answer is too long"))?;
        let mut entry = [0; ENTRY];
        entry[..32].copy_from_slice(&question.0);
        entry[32..40].copy_from_slice(&offset.to_le_bytes());
        entry[40..CHECKED].copy_from_slice(&length.to_le_bytes());
        let checksum = checksum(&entry[..CHECKED], answer);
        entry[CHECKED..].copy_from_slice(&checksum);
        offset += u64::from(length);
        Ok(entry)
    };
    answers.iter().map(entry).collect()
}

fn write_index(
    path: &Path,
    index: &[[u8; ENTRY]],
    kept: &[u8],
    answers: &BTreeMap<Question, Vec<u8>>,
) -> io::Result<()> {
    let count = (index.len() as u64).to_le_bytes();
    let mut pieces = vec![&MAGIC[..], &count, index.as_flattened(), kept];
    pieces.extend(answers.values().map(Vec::as_slice));
    draft::replace(path, &pieces)
}
