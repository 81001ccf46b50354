//! The file of the stat cache. Start with [`Notes`].
//!
//! The format, all numbers little-endian: [`MAGIC`], the version and the kind of hash (a byte each), the number of
//! folders and of notes (`u32` each); per folder, in the order of their paths, a row of where its path starts among the
//! names, the path's length, and the number of its first note (`u32` each); per note, in the order of the folders and
//! within them of the names, a row of [`FIXED`] bytes and the id; the names one after the other; and the BLAKE3 digest
//! of all that.
//!
//! A note's row is where the file's name starts (`u32`), its length (`u16`), what the id is of, a byte that counts how
//! often it was written without having been of use, the mode (`u32`), and size, mtime, ctime and inode (64 bits each).
//! Rows are read where they stand: nothing is done per note when the file is opened.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use super::{Form, Stat};
use crate::tree::ContentId;

const MAGIC: &[u8] = b"dtbuild stat cache\n";

/// The version of the format; another one is not read.
const VERSION: u8 = 2;

/// The length of what comes before the folders.
const HEAD: usize = MAGIC.len() + 2 + 2 * 4;

/// The length of a folder's row.
const FOLDER: usize = 3 * 4;

/// The length of a note's row without its id.
const FIXED: usize = 4 + 2 + 1 + 1 + 4 + 4 * 8;

/// What is noted of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) stat: Stat,
    pub(super) form: Form,
    pub(super) id: ContentId,
    pub(super) idle: u8,
}

/// The notes of a file, read where they stand.
#[derive(Debug, Default)]
pub(super) struct Notes {
    bytes: Vec<u8>,
    folders: usize,
    count: usize,
    id_length: usize,
}

impl Notes {
    /// The notes in `bytes`; none if that is not a whole file of this version for ids of `hash_kind`.
    pub(super) fn decode(bytes: Vec<u8>, hash_kind: gix_hash::Kind) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<{ blake3::OUT_LEN }>()?;
        let rest = content.strip_prefix(MAGIC)?.strip_prefix(&[VERSION, number(hash_kind)])?;
        // Who wrote the checksum wrote the rest as well, in this format.
        if blake3::hash(content) != blake3::Hash::from_bytes(*checksum) {
            return None;
        }
        let (folders, rest) = rest.split_first_chunk()?;
        let (count, _) = rest.split_first_chunk()?;
        let (folders, count) = (u32::from_le_bytes(*folders), u32::from_le_bytes(*count));
        let (folders, count) = (usize::try_from(folders).ok()?, usize::try_from(count).ok()?);
        Some(Self { bytes, folders, count, id_length: hash_kind.len_in_bytes() })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The notes with the paths of their folders, their names and their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&BStr, &BStr, usize, Note)> {
        let in_folder = move |(path, numbers): (_, Range<usize>)| {
            numbers.filter_map(move |number| Some((path, self.name(number)?, number, self.note(number)?)))
        };
        (0..self.folders).filter_map(|folder| self.folder(folder)).flat_map(in_folder)
    }

    /// The numbers of the notes on files in the folder at `path`.
    pub(super) fn in_folder(&self, path: &BStr) -> Range<usize> {
        let (mut from, mut to) = (0, self.folders);
        while from < to {
            let middle = from.midpoint(to);
            match self.folder(middle) {
                Some((found, numbers)) if found == path => return numbers,
                Some((found, _)) if found < path => from = middle + 1,
                _ => to = middle,
            }
        }
        0..0
    }

    /// Which of the notes `among` is on the file `name`.
    pub(super) fn find(&self, among: Range<usize>, name: &BStr) -> Option<usize> {
        let (mut from, mut to) = (among.start, among.end);
        while from < to {
            let middle = from.midpoint(to);
            match self.name(middle)? {
                found if found == name => return Some(middle),
                found if found < name => from = middle + 1,
                _ => to = middle,
            }
        }
        None
    }

    /// The path of a folder, and the numbers of its notes.
    fn folder(&self, folder: usize) -> Option<(&BStr, Range<usize>)> {
        let row = |folder: usize| self.bytes.get(HEAD + folder * FOLDER..)?.first_chunk::<FOLDER>();
        let number = |row: &[u8; FOLDER], place: usize| {
            let bytes = row[place * 4..].first_chunk()?;
            usize::try_from(u32::from_le_bytes(*bytes)).ok()
        };
        let this = row(folder)?;
        let end = if folder + 1 < self.folders { number(row(folder + 1)?, 2)? } else { self.count };
        Some((self.text(number(this, 0)?, number(this, 1)?)?, number(this, 2)?..end))
    }

    pub(super) fn name(&self, number: usize) -> Option<&BStr> {
        let row = self.row(number)?;
        let (start, length) = (row.first_chunk()?, row[4..].first_chunk()?);
        self.text(usize::try_from(u32::from_le_bytes(*start)).ok()?, u16::from_le_bytes(*length).into())
    }

    pub(super) fn note(&self, number: usize) -> Option<Note> {
        let row = self.row(number)?;
        let [form, idle] = *row[6..].first_chunk()?;
        let long = |place: usize| row[12 + place * 8..].first_chunk::<8>().copied();
        let stat = Stat {
            size: u64::from_le_bytes(long(0)?),
            mtime: i64::from_le_bytes(long(1)?),
            ctime: i64::from_le_bytes(long(2)?),
            inode: u64::from_le_bytes(long(3)?),
            mode: u32::from_le_bytes(*row[8..].first_chunk()?),
            taken: 0,
        };
        let form = if form == 0 { Form::Bytes } else { Form::Pointer };
        Some(Note { stat, form, id: ContentId::try_from(&row[FIXED..]).ok()?, idle })
    }

    /// The bytes of a note's row with its id.
    fn row(&self, number: usize) -> Option<&[u8]> {
        let length = FIXED + self.id_length;
        let start = HEAD + self.folders * FOLDER + number * length;
        self.bytes.get(start..start + length)
    }

    fn text(&self, start: usize, length: usize) -> Option<&BStr> {
        let start = HEAD + self.folders * FOLDER + self.count * (FIXED + self.id_length) + start;
        Some(self.bytes.get(start..start + length)?.as_bstr())
    }
}

/// The bytes of a file with `notes`, by folder and name, in their order. None if they are more than can be numbered.
pub(super) fn encode(notes: &[(&BStr, &BStr, Note)], hash_kind: gix_hash::Kind) -> Option<Vec<u8>> {
    let (mut folders, mut rows, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0u32;
    let mut before = None;
    for (number, (folder, name, note)) in notes.iter().enumerate() {
        if before != Some(*folder) {
            let place = [names.len(), folder.len(), number].map(|number| u32::try_from(number).ok());
            place.into_iter().try_for_each(|number| {
                folders.extend(number?.to_le_bytes());
                Some(())
            })?;
            names.extend_from_slice(folder);
            (before, count) = (Some(*folder), count.checked_add(1)?);
        }
        let Note { stat, form, id, idle } = note;
        rows.extend(u32::try_from(names.len()).ok()?.to_le_bytes());
        rows.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        rows.extend([u8::from(*form == Form::Pointer), *idle]);
        rows.extend(stat.mode.to_le_bytes());
        rows.extend(stat.size.to_le_bytes());
        rows.extend(stat.mtime.to_le_bytes());
        rows.extend(stat.ctime.to_le_bytes());
        rows.extend(stat.inode.to_le_bytes());
        rows.extend_from_slice(id.as_bytes());
        names.extend_from_slice(name);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.reserve(folders.len() + rows.len() + names.len() + 2 * blake3::OUT_LEN);
    bytes.extend([VERSION, number(hash_kind)]);
    bytes.extend(count.to_le_bytes());
    bytes.extend(u32::try_from(notes.len()).ok()?.to_le_bytes());
    for part in [folders, rows, names] {
        bytes.extend(part);
    }
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    Some(bytes)
}

/// The number that stands for a kind of hash.
fn number(hash_kind: gix_hash::Kind) -> u8 {
    match hash_kind.len_in_bytes() {
        20 => 1,
        _ => 2,
    }
}
