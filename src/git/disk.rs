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
use sha2::{Digest as _, Sha256};

use super::lfs::Pointer;

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

/// The content ids of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    /// The blob of its bytes.
    pub(super) bytes: ContentId,
    /// The blob of the pointer that Git LFS would store; none where it would store the bytes.
    pub(super) pointer: Option<ContentId>,
}

impl Ids {
    /// Whether either of them is `id`.
    pub(super) fn contain(&self, id: ContentId) -> bool {
        self.bytes == id || self.pointer == Some(id)
    }
}

/// Takes in the bytes of a file to tell its content ids.
pub(super) struct Digester {
    hash: gix::hash::Kind,
    size: u64,
    blob: Hasher,
    lfs: Option<Sha256>,
    /// The bytes, where they may be a pointer.
    text: Vec<u8>,
}

impl Digester {
    /// For a file of `size` bytes, which Git LFS keeps or not.
    pub(super) fn new(hash: gix::hash::Kind, size: u64, lfs: bool) -> Self {
        Self { hash, size, blob: start(hash, size), lfs: lfs.then(Sha256::new), text: Vec::new() }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.blob.update(bytes);
        if let Some(lfs) = &mut self.lfs {
            lfs.update(bytes);
            if Pointer::may_have(self.size) {
                self.text.extend_from_slice(bytes);
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<Ids> {
        let bytes = self.blob.try_finalize().map_err(io::Error::other)?;
        // Git LFS stores pointers and empty files as they are.
        let kept = self.lfs.filter(|_| self.size > 0 && Pointer::parse(&self.text).is_none());
        let pointer = kept.map(|lfs| blob_id(self.hash, Pointer::to(lfs, self.size).text().as_bytes()));
        Ok(Ids { bytes, pointer: pointer.transpose()? })
    }
}

/// The content ids of the file or link at `path`, which was listed with `stat`; Git LFS keeps it or not.
pub(super) fn identify(
    path: &Path,
    (kind, stat): (Kind, &Stat),
    lfs: bool,
    hash: gix::hash::Kind,
    buffer: &mut Vec<u8>,
) -> Result<Ids, Failure> {
    if kind == Kind::Symlink {
        let text = read_link(path)?;
        return Ok(Ids { bytes: blob_id(hash, text.as_bytes())?, pointer: None });
    }
    // What is open must be what was listed: so no link that took its place is followed.
    let mut file = File::open(path)?;
    if Stat::from(&file.metadata()?) != *stat {
        return Err(Failure::Changed);
    }
    let mut digester = Digester::new(hash, stat.size, lfs);
    let mut left = stat.size;
    // One byte more, so that a file that grew is noticed with the first read.
    let wanted = usize::try_from(stat.size).map_or(CHUNK, |size| size.saturating_add(1).min(CHUNK));
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    loop {
        let count = file.read(buffer)?;
        digester.update(&buffer[..count]);
        left = left.checked_sub(count as u64).ok_or(Failure::Changed)?;
        if count == 0 {
            break;
        }
    }
    if left > 0 || Stat::from(&file.metadata()?) != *stat {
        return Err(Failure::Changed);
    }
    Ok(digester.finish()?)
}

/// The text of a symbolic link.
pub(super) fn read_link(path: &Path) -> io::Result<BString> {
    Ok(BString::from(fs::read_link(path)?.as_os_str().as_bytes()))
}

/// A hasher for a blob of `size` bytes.
fn start(hash: gix::hash::Kind, size: u64) -> Hasher {
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
