//! The file of the stat cache. Start with [`Notes`].
//!
//! The format, all numbers little-endian: [`MAGIC`], the version and the kind of hash (a byte each), the
//! number of folders and of notes (`u32` each); per folder, in the order of their paths, a row of [`FOLDER`]
//! bytes; per note, in the order of the folders and within them of the names, a row of [`FIXED`] bytes and
//! the id; the texts (paths, lists and names) one after the other; and the BLAKE3 digest of all bytes before
//! it.
//!
//! A folder's row is the offset of its path among the texts, the path's length, the number of the folder's
//! first note, the offset among the texts of the list of names in the folder, that list's length, and how
//! often the list was written without having been of use (`u32` each), then the folder's mode, size, mtime,
//! ctime and inode as in a note; all zero if there is no list. The list is, per name, its length (`u16`), a
//! byte that is 1 for a folder, and the name.
//!
//! A note's row is the offset of the file's name among the texts (`u32`), the name's length (`u16`), the form
//! of the content that the id is of (a byte), a byte that counts how often the note was written without
//! having been of use, the mode (`u32`), and size, mtime, ctime and inode (64 bits each). Rows are read where
//! they stand: no work is done per note when the file is opened.

use std::collections::BTreeMap;
use std::ops::Range;

use bstr::{BStr, ByteSlice};

use super::{Form, Stat};
use crate::tree::ContentId;

const MAGIC: &[u8] = b"dtbuild stat cache\n";

/// The version of the format; a file of another version is not read.
const VERSION: u8 = 3;

/// The length of the head in bytes: all that comes before the folders.
const HEAD: usize = MAGIC.len() + 2 + 2 * 4;

/// The length of a folder's row in bytes.
const FOLDER: usize = 6 * 4 + STAT;

/// The length of a note's row without its id, in bytes.
const FIXED: usize = 4 + 2 + 1 + 1 + STAT;

/// The length of a [`Stat`] in the file, in bytes.
const STAT: usize = 4 + 4 * 8;

/// The note on one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) stat: Stat,
    pub(super) form: Form,
    pub(super) id: ContentId,
    pub(super) idle: u8,
}

/// The list of the names in a folder, as it is in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub(super) stat: Stat,
    pub(super) idle: u8,
    pub(super) list: &'a [u8],
}

impl<'a> Names<'a> {
    /// The names of `list`, each with true if it is the name of a folder.
    pub(super) fn iter(list: &'a [u8]) -> impl Iterator<Item = (&'a BStr, bool)> {
        let mut rest = list;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk()?;
            let (is_folder, after) = after.split_first()?;
            let (name, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = after;
            Some((name.as_bstr(), *is_folder != 0))
        })
    }

    /// Adds a name to a list. False if the name is too long: the list stays as it is.
    pub(super) fn push(list: &mut Vec<u8>, name: &BStr, is_folder: bool) -> bool {
        let Ok(length) = u16::try_from(name.len()) else { return false };
        list.extend(length.to_le_bytes());
        list.push(is_folder.into());
        list.extend_from_slice(name);
        true
    }
}

/// The notes on a folder: the names in it, if they are noted, and its files.
#[derive(Clone, Debug, Default)]
pub(super) struct OfFolder<'a> {
    pub(super) names: Option<Names<'a>>,
    /// The notes on the folder's files, by name.
    pub(super) notes: BTreeMap<&'a BStr, Note>,
}

/// The notes of the stat cache's file, read where they stand.
#[derive(Debug, Default)]
pub(super) struct Notes {
    bytes: Vec<u8>,
    folders: usize,
    count: usize,
    id_length: usize,
}

impl Notes {
    /// The notes in `bytes`; none if `bytes` are not a whole file of this version for ids of `hash_kind`.
    pub(super) fn decode(bytes: Vec<u8>, hash_kind: gix_hash::Kind) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<{ blake3::OUT_LEN }>()?;
        let rest = content.strip_prefix(MAGIC)?.strip_prefix(&[VERSION, number(hash_kind)])?;
        // The program that wrote the checksum wrote the rest as well, in this format.
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

    pub(super) fn folders(&self) -> usize {
        self.folders
    }

    /// The number of the folder at `path`.
    pub(super) fn find_folder(&self, path: &BStr) -> Option<usize> {
        let (mut from, mut to) = (0, self.folders);
        while from < to {
            let middle = from.midpoint(to);
            match self.path(middle)? {
                found if found == path => return Some(middle),
                found if found < path => from = middle + 1,
                _ => to = middle,
            }
        }
        None
    }

    /// The number of the note on the file `name`, if it is one of the notes `among`.
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

    /// The path of the folder with the number `folder`.
    pub(super) fn path(&self, folder: usize) -> Option<&BStr> {
        self.text(self.number(folder, 0)?, self.number(folder, 1)?)
    }

    /// The numbers of the notes on the files in a folder.
    pub(super) fn numbers(&self, folder: usize) -> Option<Range<usize>> {
        let end = if folder + 1 < self.folders { self.number(folder + 1, 2)? } else { self.count };
        Some(self.number(folder, 2)?..end)
    }

    /// The names in a folder, if they are noted.
    pub(super) fn names(&self, folder: usize) -> Option<Names<'_>> {
        let stat = stat(self.folder(folder)?[6 * 4..].first_chunk()?);
        let list = self.text(self.number(folder, 3)?, self.number(folder, 4)?)?;
        (stat.mode != 0).then_some(Names { stat, idle: u8::try_from(self.number(folder, 5)?).ok()?, list })
    }

    /// The row of a folder.
    fn folder(&self, folder: usize) -> Option<&[u8; FOLDER]> {
        self.bytes.get(HEAD + folder * FOLDER..)?.first_chunk()
    }

    /// One of the first six numbers of a folder's row.
    fn number(&self, folder: usize, place: usize) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(*self.folder(folder)?[place * 4..].first_chunk()?)).ok()
    }

    pub(super) fn name(&self, number: usize) -> Option<&BStr> {
        let row = self.row(number)?;
        let (start, length) = (row.first_chunk()?, row[4..].first_chunk()?);
        self.text(usize::try_from(u32::from_le_bytes(*start)).ok()?, u16::from_le_bytes(*length).into())
    }

    pub(super) fn note(&self, number: usize) -> Option<Note> {
        let row = self.row(number)?;
        let [form, idle] = *row[6..].first_chunk()?;
        let stat = stat(row[8..].first_chunk()?);
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

/// Reads the state of a file or folder, as the system gave it.
fn stat(bytes: &[u8; STAT]) -> Stat {
    let (mode, rest) = bytes.split_at(4);
    let long = |place: usize| rest[place * 8..].first_chunk().copied().unwrap_or_default();
    Stat {
        size: u64::from_le_bytes(long(0)),
        mtime: i64::from_le_bytes(long(1)),
        ctime: i64::from_le_bytes(long(2)),
        inode: u64::from_le_bytes(long(3)),
        mode: u32::from_le_bytes(mode.first_chunk().copied().unwrap_or_default()),
        taken: 0,
    }
}

fn put_stat(bytes: &mut Vec<u8>, stat: &Stat) {
    bytes.extend(stat.mode.to_le_bytes());
    bytes.extend(stat.size.to_le_bytes());
    bytes.extend(stat.mtime.to_le_bytes());
    bytes.extend(stat.ctime.to_le_bytes());
    bytes.extend(stat.inode.to_le_bytes());
}

/// The bytes of the file that holds the notes `noted`. None if there are more notes than can be numbered.
pub(super) fn encode(noted: &BTreeMap<&BStr, OfFolder<'_>>, hash_kind: gix_hash::Kind) -> Option<Vec<u8>> {
    let (mut folders, mut rows, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0u32;
    for (path, OfFolder { names, notes }) in noted {
        let list = names.map(|names| names.list).unwrap_or_default();
        put_numbers(&mut folders, &[texts.len(), path.len()])?;
        folders.extend(count.to_le_bytes());
        texts.extend_from_slice(path);
        let idle = names.map_or(0, |names| names.idle.into());
        put_numbers(&mut folders, &[texts.len(), list.len(), idle])?;
        texts.extend_from_slice(list);
        match names {
            Some(names) => put_stat(&mut folders, &names.stat),
            None => folders.extend([0; STAT]),
        }
        for (name, Note { stat, form, id, idle }) in notes {
            put_numbers(&mut rows, &[texts.len()])?;
            rows.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
            rows.extend([u8::from(*form == Form::Pointer), *idle]);
            put_stat(&mut rows, stat);
            rows.extend_from_slice(id.as_bytes());
            texts.extend_from_slice(name);
            count = count.checked_add(1)?;
        }
    }
    let mut bytes = MAGIC.to_vec();
    bytes.reserve(folders.len() + rows.len() + texts.len() + 2 * blake3::OUT_LEN);
    bytes.extend([VERSION, number(hash_kind)]);
    put_numbers(&mut bytes, &[noted.len()])?;
    bytes.extend(count.to_le_bytes());
    for part in [folders, rows, texts] {
        bytes.extend(part);
    }
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    Some(bytes)
}

fn put_numbers(bytes: &mut Vec<u8>, numbers: &[usize]) -> Option<()> {
    for number in numbers {
        bytes.extend(u32::try_from(*number).ok()?.to_le_bytes());
    }
    Some(())
}

/// The number that stands for a kind of hash.
fn number(hash_kind: gix_hash::Kind) -> u8 {
    match hash_kind.len_in_bytes() {
        20 => 1,
        _ => 2,
    }
}
