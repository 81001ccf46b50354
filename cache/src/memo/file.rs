//! The file of a memo. Start with [`File`].
//!
//! The format, all numbers little-endian: [`MAGIC`], the number of answers (`u64`), the index in the order of the
//! questions, the answers one after the other. An entry of the index is the question (32 bytes), where its
//! answer starts behind the index (`u64`), the answer's length (`u32`), and the first four bytes of the BLAKE3 digest
//! of all of these with the answer. Questions are digests, evenly spread, so an entry is where its first
//! bytes say: mostly one read of a page finds it, however many there are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::Question;
use crate::draft;

const MAGIC: &[u8; 16] = b"dtbuild memo 1\n\0";

/// The length of the head: magic and number.
const HEAD: usize = 24;

/// The length of an entry, and of it without its checksum.
const ENTRY: usize = 48;
const CHECKED: usize = 44;

/// How many entries are read at once: a page.
const PAGE: usize = 85;

/// The longest answer.
const LONGEST: u32 = 16 * 1024 * 1024;

/// A file that is open, and read where it is asked for.
#[derive(Debug)]
pub(super) struct File {
    handle: fs::File,
    count: u64,
    size: u64,
}

/// Where an answer is.
struct Place {
    offset: u64,
    length: u32,
    entry: [u8; ENTRY],
}

impl File {
    /// Opens the file; none when it is not one of this format.
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

    /// The answer to `question`, if it is there and whole.
    pub(super) fn find(&self, question: &Question) -> Option<Vec<u8>> {
        let place = self.place(question)?;
        let mut answer = vec![0; usize::try_from(place.length).ok()?];
        self.handle.read_exact_at(&mut answer, self.answers_start().checked_add(place.offset)?).ok()?;
        place.is_of(&answer).then_some(answer)
    }

    /// All answers that are whole.
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

    /// Looks where the question's first bytes say, then page by page towards it.
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
                // Between two pages that were read, or before the first of all.
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

    /// Whether `answer` is what was written with this entry.
    fn is_of(&self, answer: &[u8]) -> bool {
        self.entry[CHECKED..] == checksum(&self.entry[..CHECKED], answer)
    }
}

fn checksum(entry: &[u8], answer: &[u8]) -> [u8; ENTRY - CHECKED] {
    let digest = blake3::Hasher::new().update(entry).update(answer).finalize();
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

/// Writes a file with these answers, in place of what is at `path`.
pub(super) fn write(path: &Path, answers: &BTreeMap<Question, Vec<u8>>) -> io::Result<()> {
    write_index(path, &entries(answers, 0)?, &[], answers)
}

/// Writes a file with what is in `old` and these answers, in place of what is at `path`.
///
/// What is there is copied as it is: its answers stay where they are, and are checked when they are asked for. So a
/// new answer costs about what copying the file does. None where the index of `old` is not one.
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
        // One that was found out again was not whole.
        known.next_if(|known| known[..32] == entry[..32]);
        merged.push(entry);
    }
    merged.extend(known);
    write_index(path, &merged, kept, answers).map(Some)
}

/// The index of these answers, the first of which is at `offset`.
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
