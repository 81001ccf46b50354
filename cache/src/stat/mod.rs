//! The stat cache: the content ids of the files of a working tree, by their `stat`. Start with [`StatCache`].
//!
//! The names in folders are kept in a like way: a folder that did not change is not listed again.
//!
//! As in git's index, a file whose size, times, inode and mode are those noted is not read again. The danger
//! is a *racy* file: changed after it was hashed, within the resolution of its time stamps. So a note is
//! trusted only if the file had been at rest for a while when its [`Stat`] was taken, and only if the note is
//! older than the file that holds the notes, which is git's rule. A file whose note is not trusted is hashed
//! once more, which costs time and nothing else.
//!
//! An id is as right as the code that took it: the cache belongs to a [`Fingerprint`], as the memo does. The
//! cache's file can be deleted, damaged or swapped at any time: a file that cannot be read whole counts as
//! empty.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::{BStr, BString};

use self::file::{Names, Note, Notes, OfFolder};
use crate::draft;
use crate::fingerprint::{Fingerprint, OwnFolder};
use crate::tree::ContentId;

/// The name of the cache's file.
const FILE: &str = "stat";

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// The longest time, in nanoseconds, that the kernel's clock for files can be behind the clock that programs
/// read: two ticks at 100 Hz.
const TICKS: i64 = 20_000_000;

/// The coarsest resolution, in nanoseconds, of time stamps without a fraction of a second: that of FAT.
const COARSE: i64 = 2 * SECOND;

/// The number of times that the cache is written before a note that nobody asked for is dropped.
///
/// The number is more than one, so that building one image does not forget the files of the others.
const PATIENCE: u8 = 8;

/// The state of a file that identifies its content without reading it. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// The number of bytes.
    pub size: u64,
    /// The time of the content's last change.
    pub mtime: i64,
    /// The time of the inode's last change.
    pub ctime: i64,
    /// The number of the inode.
    pub inode: u64,
    /// The kind and permissions, as `st_mode` has them.
    pub mode: u32,
    /// The time at which the state was asked for; it is not compared.
    pub taken: i64,
}

impl Stat {
    /// The state in `metadata`, which is of the file itself and not of a link's target.
    ///
    /// Take it right after the metadata and *before* the content is read: a change in between is then seen
    /// the next time, whereas a change after a later [`Stat`] would never be seen.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            mode: metadata.mode(),
            taken: now(),
        }
    }

    /// True if the file's owner may execute it.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// True if `self` and `other` agree in everything but the time at which they were taken.
    #[must_use]
    pub fn says(&self, other: &Self) -> bool {
        let compared = |stat: &Self| (stat.size, stat.mtime, stat.ctime, stat.inode, stat.mode);
        compared(self) == compared(other)
    }

    /// True if the file had been left alone for a while at `moment`, by the kernel's clock for files or by a
    /// clock that the kernel's is at most [`TICKS`] behind: a later change is sure to give the file other
    /// times.
    #[must_use]
    pub fn settled_at(&self, moment: i64) -> bool {
        self.rests_at(moment.saturating_sub(TICKS))
    }

    /// True if a change at `moment` or later is sure to give the file other times than these.
    fn rests_at(&self, moment: i64) -> bool {
        let past = |time: i64| {
            let resolution = if time % SECOND == 0 { COARSE } else { 0 };
            time.saturating_add(resolution) < moment
        };
        past(self.mtime) && past(self.ctime)
    }
}

/// The time now, for [`Stat::taken`], in nanoseconds since 1970: for many files, it may be asked once, before
/// the first of them is.
#[must_use]
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// The time, as a [`Stat`] has it, of `seconds` since 1970 and `part` nanoseconds.
#[must_use]
pub fn nanoseconds(seconds: i64, part: i64) -> i64 {
    seconds.saturating_mul(SECOND).saturating_add(part)
}

/// The form of a file's content that a noted id is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The bytes of the file.
    Bytes,
    /// The pointer to the bytes that Git LFS stores.
    Pointer,
}

/// The stat cache of one working tree: the content ids of its files. It can be shared between threads.
#[derive(Debug)]
pub struct StatCache {
    folder: OwnFolder,
    hash_kind: gix_hash::Kind,
    /// The notes that were read from the file, and the time at which the file was written.
    notes: Notes,
    written: i64,
    /// For each note, true if it was of use.
    used: Vec<AtomicBool>,
    /// For each folder, true if the names in it were of use.
    used_names: Vec<AtomicBool>,
    fresh: Mutex<Fresh>,
}

/// The notes that were taken since the file was read.
#[derive(Debug, Default)]
struct Fresh {
    /// The notes on files, by folder and name.
    notes: HashMap<BString, HashMap<BString, Note>>,
    /// The names in folders, by the folders' paths, each with the folder's state.
    names: HashMap<BString, (Stat, Vec<u8>)>,
    changed: bool,
}

impl Fresh {
    fn get(&self, folder: &BStr, name: &BStr) -> Option<&Note> {
        self.notes.get(folder)?.get(name)
    }
}

/// The notes on one folder and the files in it. They are found fastest if they are asked for in the order of
/// their names.
#[derive(Debug)]
pub struct FolderNotes<'a> {
    cache: &'a StatCache,
    folder: &'a BStr,
    number: Option<usize>,
    /// The notes that were read from the file, by their numbers.
    read: Range<usize>,
    /// The number after that of the note that was found last.
    next: usize,
}

impl<'a> FolderNotes<'a> {
    /// The names in the folder in the order in which they were noted, each with true if it is the name of a
    /// folder; none if the folder is no longer as it was then. To be asked only if the file system changes a
    /// folder's times with the names in it.
    #[must_use]
    pub fn names(&self, stat: &Stat) -> Option<impl Iterator<Item = (&'a BStr, bool)>> {
        let (number, cache) = (self.number?, self.cache);
        let names = cache.notes.names(number).filter(|names| names.stat.says(stat))?;
        stat.rests_at(cache.written).then(|| {
            cache.used_names[number].store(true, Ordering::Relaxed);
            Names::iter(names.list)
        })
    }

    /// The content id of the file `name`, if the file is as it was when it was noted.
    pub fn lookup(&mut self, name: &BStr, form: Form, stat: &Stat) -> Option<ContentId> {
        let StatCache { notes, used, written, .. } = self.cache;
        let expected =
            (self.read.contains(&self.next) && notes.name(self.next) == Some(name)).then_some(self.next);
        if let Some(number) = expected.or_else(|| notes.find(self.read.clone(), name)) {
            self.next = number + 1;
            let note = notes.note(number)?;
            if note.form == form && note.stat.says(stat) && stat.rests_at(*written) {
                used[number].store(true, Ordering::Relaxed);
                return Some(note.id);
            }
        }
        let fresh = self.cache.fresh();
        fresh
            .get(self.folder, name)
            .filter(|note| note.form == form && note.stat.says(stat))
            .map(|note| note.id)
    }
}

impl StatCache {
    /// Reads the notes of `code` in the folder `parent`; empty if there are none, or none for ids of
    /// `hash_kind`.
    #[must_use]
    pub fn load(parent: &Path, code: &Fingerprint, hash_kind: gix_hash::Kind) -> Self {
        let folder = code.folder(parent);
        let (notes, written) = read(&folder.file(FILE), hash_kind).unwrap_or_default();
        let unused = |count| (0..count).map(|_| AtomicBool::new(false)).collect();
        let (used, used_names) = (unused(notes.len()), unused(notes.folders()));
        Self { folder, hash_kind, notes, written, used, used_names, fresh: Mutex::default() }
    }

    /// The notes on the folder at `path` of the working tree.
    #[must_use]
    pub fn folder<'a>(&'a self, path: &'a BStr) -> FolderNotes<'a> {
        let number = self.notes.find_folder(path);
        let read = number.and_then(|number| self.notes.numbers(number)).unwrap_or_default();
        FolderNotes { cache: self, folder: path, number, next: read.start, read }
    }

    /// Notes the names in the folder at `folder`, each with true if it is the name of a folder. `stat` was
    /// taken of the folder before the names were read.
    ///
    /// The names in a folder that was changed a moment ago are not noted, just as such a file is not.
    pub fn record_names<'n>(
        &self,
        folder: &BStr,
        stat: Stat,
        names: impl IntoIterator<Item = (&'n BStr, bool)>,
    ) {
        if !stat.settled_at(stat.taken) {
            return;
        }
        let mut list = Vec::new();
        let all = names.into_iter().all(|(name, is_folder)| Names::push(&mut list, name, is_folder));
        let mut fresh = self.fresh();
        let noted = fresh.names.get(folder).is_some_and(|(noted, _)| noted.says(&stat));
        if all && !noted {
            fresh.names.insert(folder.to_owned(), (stat, list));
            fresh.changed = true;
        }
    }

    /// Notes that the file `name` in the folder at `folder` has the content `id`. `stat` was taken of the
    /// file before it was read.
    ///
    /// A file that was changed a moment ago is not noted: it could change again and look the same.
    pub fn record(&self, folder: &BStr, name: &BStr, form: Form, stat: Stat, id: ContentId) {
        if id.kind() == self.hash_kind && stat.settled_at(stat.taken) {
            let mut fresh = self.fresh();
            let note = Note { stat, form, id, idle: 0 };
            fresh.notes.entry(folder.to_owned()).or_default().insert(name.to_owned(), note);
            fresh.changed = true;
        }
    }

    /// Writes the cache to its file, in place of the file that is there, if something new was noted.
    ///
    /// Notes that were of no use the last few times are dropped.
    ///
    /// # Errors
    /// Fails if the file cannot be written; the file that is there is left as it is.
    pub fn save(&self) -> io::Result<()> {
        let mut fresh = self.fresh();
        if !fresh.changed {
            return Ok(());
        }
        let mut all = self.kept();
        for (folder, (stat, list)) in &fresh.names {
            all.entry(folder.as_ref()).or_default().names = Some(Names { stat: *stat, idle: 0, list });
        }
        for (folder, notes) in &fresh.notes {
            let notes = notes.iter().map(|(name, note)| (name.as_ref(), *note));
            all.entry(folder.as_ref()).or_default().notes.extend(notes);
        }
        let bytes = file::encode(&all, self.hash_kind).ok_or(io::ErrorKind::FileTooLarge)?;
        self.folder.make()?;
        draft::replace(&self.folder.file(FILE), &[&bytes])?;
        fresh.changed = false;
        Ok(())
    }

    /// The notes of the file that are still worth keeping.
    fn kept(&self) -> BTreeMap<&BStr, OfFolder<'_>> {
        let worth = |used: &AtomicBool, idle: u8, stat: &Stat| {
            let idle = if used.load(Ordering::Relaxed) { 0 } else { idle.saturating_add(1) };
            (idle < PATIENCE && stat.rests_at(self.written)).then_some(idle)
        };
        let mut kept = BTreeMap::new();
        for folder in 0..self.notes.folders() {
            let (Some(path), Some(numbers)) = (self.notes.path(folder), self.notes.numbers(folder)) else {
                continue;
            };
            let names = self.notes.names(folder).and_then(|names| {
                let idle = worth(&self.used_names[folder], names.idle, &names.stat)?;
                Some(Names { idle, ..names })
            });
            let note = |number| {
                let (name, note) = (self.notes.name(number)?, self.notes.note(number)?);
                let idle = worth(&self.used[number], note.idle, &note.stat)?;
                Some((name, Note { idle, ..note }))
            };
            let notes: BTreeMap<_, _> = numbers.filter_map(note).collect();
            if names.is_some() || !notes.is_empty() {
                kept.insert(path, OfFolder { names, notes });
            }
        }
        kept
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        // A note is inserted whole or not at all, so a panic elsewhere leaves nothing half done.
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notes in the file and the time at which it was written.
fn read(path: &Path, hash_kind: gix_hash::Kind) -> Option<(Notes, i64)> {
    let mut file = File::open(path).ok()?;
    let written = Stat::of(&file.metadata().ok()?).mtime;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some((Notes::decode(bytes, hash_kind)?, written))
}

#[cfg(test)]
mod tests;
