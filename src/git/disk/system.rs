//! Calls to the operating system about files and folders; symbolic links are never followed. Start with [`look`].

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::stat::{self, Stat};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// The name of a kind of file that no build can be sent, such as `a named pipe`; none for all other kinds.
pub(super) fn special(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::Fifo => Some("a named pipe"),
        FileType::BlockDevice | FileType::CharacterDevice => Some("a device"),
        _ => None,
    }
}

/// The [`Stat`] of `path` in `folder`, from a call to the system at the time `taken` or later.
pub(super) fn look(folder: impl AsFd, path: impl rustix::path::Arg, taken: i64) -> io::Result<Stat> {
    Ok(as_noted(&rustix::fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW)?, taken))
}

/// The [`Stat`] of a file, from the system's answer to a call at the time `taken` or later.
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

/// The magic numbers of file systems that change a folder's times whenever a name in the folder is added, removed or
/// given to something else: ext, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS and bcachefs. Other file systems, such as
/// network ones, may not.
const WITH_TIMES_OF_FOLDERS: [u64; 8] =
    [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0xF2F5_2010, 0x2FC1_2FC1, 0xCA45_1A4E];

/// The device of a folder, if a folder's times on that device change whenever the names in the folder change.
pub(super) fn with_times_of_folders(folder: impl AsFd) -> Option<u64> {
    #[expect(clippy::cast_sign_loss, reason = "the kinds are numbers of 32 bits")]
    let kind = rustix::fs::fstatfs(&folder).ok()?.f_type as u64 & 0xFFFF_FFFF;
    WITH_TIMES_OF_FOLDERS.contains(&kind).then_some(())?;
    rustix::fs::fstat(folder).ok().map(|found| found.st_dev)
}

/// Opens `path` in `folder`; fails if it is a link.
pub(super) fn open(
    folder: impl AsFd,
    path: impl rustix::path::Arg,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    // A pipe in a file's place would block for ever.
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, path, flags, Mode::empty())
}

/// True if the error means that nothing is at a path.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Tells whether the folder, or a folder below, holds anything that git could store.
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
    // Files come first: mostly they give the answer without a look into the folders below.
    folders.iter().try_fold(false, |found, folder| Ok(found || holds_something(folder)?))
}

/// The text of the symbolic link at `path` in `folder`.
pub(super) fn read_link(folder: impl AsFd, path: &BStr) -> io::Result<BString> {
    Ok(BString::from(rustix::fs::readlinkat(folder, path.as_bytes(), Vec::new())?.into_bytes()))
}
