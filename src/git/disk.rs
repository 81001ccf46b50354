//! Files as the disk has them: what they are, and the git blob id of their bytes.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use bstr::{BString, ByteSlice as _};
use dtbuild_cache::stat;
use dtbuild_cache::tree::{ContentId, Kind};
use gix::hash::Hasher;
use gix::objs::encode::loose_header;

/// How much is read at once.
const CHUNK: usize = 1024 * 1024;

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    /// Seconds and nanoseconds.
    pub(super) changed: (i64, i64),
    /// The same in the form of the stat cache, which also knows when it was asked.
    pub(super) noted: stat::Stat,
}

impl PartialEq for Stat {
    fn eq(&self, other: &Self) -> bool {
        self.device == other.device && self.noted.says(&other.noted)
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            noted: stat::Stat::of(metadata),
        }
    }
}

impl Stat {
    pub(super) fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }
}

/// Why a file has no content id.
#[derive(Debug)]
pub(super) enum Failure {
    Io(io::Error),
    /// It is not the file that was listed any more.
    Changed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What kind of special file this is, for those that no build can be sent.
pub(super) fn special(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("a named pipe")
    } else if kind.is_block_device() || kind.is_char_device() {
        Some("a device")
    } else {
        None
    }
}

/// Whether the error says that there is nothing at a path.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether the folder, or one below it, holds anything that git could store.
pub(super) fn holds_something(folder: &Path) -> io::Result<bool> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if entry.file_name() == ".git" || kind.is_socket() {
            continue;
        }
        if !kind.is_dir() {
            return Ok(true);
        }
        folders.push(entry.path());
    }
    // Files first: the answer is mostly found without going down.
    folders.iter().try_fold(false, |found, folder| Ok(found || holds_something(folder)?))
}

/// The content id of the file or link at `path`, which was listed with `stat`.
pub(super) fn identify(
    path: &Path,
    kind: Kind,
    stat: &Stat,
    hash: gix::hash::Kind,
    buffer: &mut Vec<u8>,
) -> Result<ContentId, Failure> {
    if kind == Kind::Symlink {
        let text = read_link(path)?;
        return Ok(blob_id(hash, text.as_bytes())?);
    }
    // What is open must be what was listed: so no link that took its place is followed.
    let mut file = File::open(path)?;
    if Stat::from(&file.metadata()?) != *stat {
        return Err(Failure::Changed);
    }
    let mut hasher = start(hash, stat.size);
    let mut left = stat.size;
    // One byte more, so that a file that grew is noticed with the first read.
    let wanted = usize::try_from(stat.size).map_or(CHUNK, |size| size.saturating_add(1).min(CHUNK));
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    loop {
        let count = file.read(buffer)?;
        hasher.update(&buffer[..count]);
        left = left.checked_sub(count as u64).ok_or(Failure::Changed)?;
        if count == 0 {
            break;
        }
    }
    if left > 0 || Stat::from(&file.metadata()?) != *stat {
        return Err(Failure::Changed);
    }
    hasher.try_finalize().map_err(|source| Failure::Io(io::Error::other(source)))
}

/// The text of a symbolic link.
pub(super) fn read_link(path: &Path) -> io::Result<BString> {
    Ok(BString::from(fs::read_link(path)?.as_os_str().as_bytes()))
}

/// A hasher for a blob of `size` bytes.
pub(super) fn start(hash: gix::hash::Kind, size: u64) -> Hasher {
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(&loose_header(gix::objs::Kind::Blob, size));
    hasher
}

/// The blob id of a content.
pub(super) fn blob_id(hash: gix::hash::Kind, content: &[u8]) -> io::Result<ContentId> {
    let mut hasher = start(hash, content.len() as u64);
    hasher.update(content);
    hasher.try_finalize().map_err(io::Error::other)
}
