//! Files as the disk has them: what they are, and the git blob id of their bytes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::stat::{self, Stat};
use dtbuild_content::tree::{ContentId, Kind};
use gix::hash::Hasher;
use gix::objs::encode::loose_header;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::lfs::Pointer;

/// How much is read at once.
const CHUNK: usize = 1024 * 1024;

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
    match kind {
        FileType::Fifo => Some("a named pipe"),
        FileType::BlockDevice | FileType::CharacterDevice => Some("a device"),
        _ => None,
    }
}

/// What `path` in `folder` is, links not followed; it was asked for at `taken` or later.
pub(super) fn look(folder: impl AsFd, path: impl rustix::path::Arg, taken: i64) -> io::Result<Stat> {
    Ok(as_noted(&rustix::fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW)?, taken))
}

/// What the system says of a file that was asked about at `taken` or later.
pub(super) fn as_noted(found: &rustix::fs::Stat, taken: i64) -> Stat {
    #[expect(
        clippy::useless_conversion,
        clippy::cast_possible_wrap,
        reason = "widths differ between systems"
    )]
    let time = |seconds, part| stat::nanoseconds(i64::from(seconds), part as i64);
    Stat {
        size: u64::try_from(found.st_size).unwrap_or_default(),
        mtime: time(found.st_mtime, found.st_mtime_nsec),
        ctime: time(found.st_ctime, found.st_ctime_nsec),
        inode: found.st_ino,
        mode: found.st_mode,
        taken,
    }
}

/// File systems that change a folder's times whenever a name is added to it, removed or given to something else: ext,
/// XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS and bcachefs. Of others, some of which are on other machines, it is not known.
const WITH_TIMES_OF_FOLDERS: [u64; 8] =
    [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0xF2F5_2010, 0x2FC1_2FC1, 0xCA45_1A4E];

/// The device that a folder is on, if the times of the folders there tell whether the names in them changed.
pub(super) fn with_times_of_folders(folder: impl AsFd) -> Option<u64> {
    #[expect(clippy::cast_sign_loss, reason = "the kinds are numbers of 32 bits")]
    let kind = rustix::fs::fstatfs(&folder).ok()?.f_type as u64 & 0xFFFF_FFFF;
    WITH_TIMES_OF_FOLDERS.contains(&kind).then_some(())?;
    rustix::fs::fstat(folder).ok().map(|found| found.st_dev)
}

/// Opens `path` in `folder`, unless it is a link.
pub(super) fn open(
    folder: impl AsFd,
    path: impl rustix::path::Arg,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    // A pipe in a file's place would block for ever.
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, path, flags, Mode::empty())
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

/// The content ids of the file or link at `path` in `folder`, which was listed with `stat`; Git LFS keeps it or not.
pub(super) fn identify(
    folder: impl AsFd,
    path: &BStr,
    (kind, stat): (Kind, &Stat),
    lfs: bool,
    hash: gix::hash::Kind,
    buffer: &mut Vec<u8>,
) -> Result<Ids, Failure> {
    if kind == Kind::Symlink {
        let text = read_link(folder, path)?;
        return Ok(Ids { bytes: blob_id(hash, &text)?, pointer: None });
    }
    // What is open must be what was listed: so no link that took its place is followed.
    let file = open(folder, path.as_bytes(), OFlags::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP => Failure::Changed,
        error => Failure::Io(error.into()),
    })?;
    let mut digester = Digester::new(hash, stat.size, lfs);
    let mut left = stat.size;
    // One byte more, so that a file that grew is noticed with the first read.
    let wanted = usize::try_from(stat.size).map_or(CHUNK, |size| size.saturating_add(1).min(CHUNK));
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    let mut reader = File::from(file);
    loop {
        let count = reader.read(buffer)?;
        digester.update(&buffer[..count]);
        left = left.checked_sub(count as u64).ok_or(Failure::Changed)?;
        if count == 0 {
            break;
        }
    }
    let now = as_noted(&rustix::fs::fstat(&reader).map_err(io::Error::from)?, 0);
    if left > 0 || !now.says(stat) { Err(Failure::Changed) } else { Ok(digester.finish()?) }
}

/// The text of the symbolic link at `path` in `folder`.
pub(super) fn read_link(folder: impl AsFd, path: &BStr) -> io::Result<BString> {
    Ok(BString::from(rustix::fs::readlinkat(folder, path.as_bytes(), Vec::new())?.into_bytes()))
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
