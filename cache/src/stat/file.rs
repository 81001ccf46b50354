//! The file of the stat cache. Start with [`Notes`].
//!
//! The format, all numbers little-endian: [`MAGIC`], the version, the kind of hash (a byte each), the
//! number of notes (`u64`), the notes in the order of their paths, and the BLAKE3 digest of all that.
//! A note is the path's length (`u32`), the path, size, mtime, ctime, inode (64 bits each), mode
//! (`u32`), a byte that counts how often it was written without having been of use, and the id.

use bstr::{BStr, ByteSlice};

use super::Stat;
use crate::tree::ContentId;

const MAGIC: &[u8] = b"dtbuild stat cache\n";

/// The version of the format; another one is not read.
const VERSION: u8 = 1;

/// The length of a note without its path and id.
const FIXED: usize = 4 * 8 + 4 + 1;

/// What is noted of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) stat: Stat,
    pub(super) id: ContentId,
    pub(super) idle: u8,
}

/// The notes of a file, read where they stand.
#[derive(Debug, Default)]
pub(super) struct Notes {
    bytes: Vec<u8>,
    /// Where each note's path starts, and its length.
    places: Vec<(usize, usize)>,
    id_length: usize,
}

impl Notes {
    /// The notes in `bytes`; none if that is not a whole file of this version for ids of `hash_kind`.
    pub(super) fn decode(bytes: Vec<u8>, hash_kind: gix_hash::Kind) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<{ blake3::OUT_LEN }>()?;
        let rest = content.strip_prefix(MAGIC)?.strip_prefix(&[VERSION, number(hash_kind)])?;
        if blake3::hash(content) != blake3::Hash::from_bytes(*checksum) {
            return None;
        }
        let id_length = hash_kind.len_in_bytes();
        let (count, mut rest) = rest.split_first_chunk::<8>()?;
        let mut places: Vec<(usize, usize)> = Vec::new();
        while !rest.is_empty() {
            let (length, note) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let place = content.len() - note.len();
            if let Some(&(start, end)) = places.last()
                && content[start..start + end] >= *note.get(..length)?
            {
                return None;
            }
            places.push((place, length));
            rest = note.get(length + FIXED + id_length..)?;
        }
        (places.len() as u64 == u64::from_le_bytes(*count)).then_some(Self { bytes, places, id_length })
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&BStr, Note)> {
        (0..self.len()).filter_map(|index| Some((self.path(index), self.note(index)?)))
    }

    /// The number of the note on `path`, and the note.
    pub(super) fn find(&self, path: &BStr) -> Option<(usize, Note)> {
        let index = self
            .places
            .binary_search_by(|&(start, length)| self.bytes[start..start + length].cmp(path))
            .ok()?;
        Some((index, self.note(index)?))
    }

    fn path(&self, index: usize) -> &BStr {
        let (start, length) = self.places[index];
        self.bytes[start..start + length].as_bstr()
    }

    fn note(&self, index: usize) -> Option<Note> {
        let (place, length) = self.places[index];
        let mut rest = &self.bytes[place + length..];
        let mut next = || {
            let (number, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(*number)
        };
        let (size, mtime, ctime, inode) = (next()?, next()?, next()?, next()?);
        let (mode, rest) = rest.split_first_chunk::<4>()?;
        let (&idle, rest) = rest.split_first()?;
        let stat = Stat {
            size: u64::from_le_bytes(size),
            mtime: i64::from_le_bytes(mtime),
            ctime: i64::from_le_bytes(ctime),
            inode: u64::from_le_bytes(inode),
            mode: u32::from_le_bytes(*mode),
            taken: 0,
        };
        let id = ContentId::try_from(rest.get(..self.id_length)?).ok()?;
        Some(Note { stat, id, idle })
    }
}

/// The bytes of a file with `notes`, which are in the order of their paths.
pub(super) fn encode(notes: &[(&BStr, Note)], hash_kind: gix_hash::Kind) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION, number(hash_kind)]);
    bytes.extend((notes.len() as u64).to_le_bytes());
    for (path, Note { stat, id, idle }) in notes {
        // No file system has paths that do not fit.
        bytes.extend(u32::try_from(path.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(path);
        bytes.extend(stat.size.to_le_bytes());
        bytes.extend(stat.mtime.to_le_bytes());
        bytes.extend(stat.ctime.to_le_bytes());
        bytes.extend(stat.inode.to_le_bytes());
        bytes.extend(stat.mode.to_le_bytes());
        bytes.push(*idle);
        bytes.extend_from_slice(id.as_bytes());
    }
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

/// The number that stands for a kind of hash.
fn number(hash_kind: gix_hash::Kind) -> u8 {
    match hash_kind.len_in_bytes() {
        20 => 1,
        _ => 2,
    }
}
