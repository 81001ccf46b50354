//! The content ids of a file of the disk: the git blob id of the file's bytes, and the blob id of the pointer that Git
//! LFS would store. Start with [`identify`].

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::stat::Stat;
use dtbuild_content::tree::{ContentId, Kind};
use gix::hash::Hasher;
use gix::objs::encode::loose_header;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::system::{as_noted, open, read_link};
use crate::git::lfs::Pointer;

/// The number of bytes that are read at once.
const CHUNK: usize = 1024 * 1024;

/// The reasons for which a file has no content id.
#[derive(Debug)]
pub(super) enum Failure {
    Io(io::Error),
    /// The file is no longer the file that was listed.
    Changed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The content ids of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    /// The blob id of the bytes.
    pub(super) bytes: ContentId,
    /// The blob id of the pointer that Git LFS would store; none where LFS would store the bytes.
    pub(super) pointer: Option<ContentId>,
}

impl Ids {
    /// True if one of the ids is `id`.
    pub(super) fn contain(&self, id: ContentId) -> bool {
        self.bytes == id || self.pointer == Some(id)
    }
}

/// Computes the content ids of a file from its bytes.
pub(super) struct Digester {
    hash: gix::hash::Kind,
    size: u64,
    blob: Hasher,
    lfs: Option<Sha256>,
    /// The bytes of a file that may be a pointer.
    text: Vec<u8>,
}

impl Digester {
    /// A digester for a file of `size` bytes; `lfs` if Git LFS keeps the file.
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

/// The content ids of the file or link at `path` in `folder`, which was listed with `stat`; `lfs` if Git LFS keeps the
/// file.
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
    // The file must be the one that was listed: a link that took its place is not followed.
    let file = open(folder, path.as_bytes(), OFlags::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP => Failure::Changed,
        error => Failure::Io(error.into()),
    })?;
    let mut digester = Digester::new(hash, stat.size, lfs);
    let mut left = stat.size;
    // One byte more, so that the first read notices a file that grew.
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
