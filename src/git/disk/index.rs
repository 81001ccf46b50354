//! Git's index: the entries that git has for paths of the working tree. Start with [`LazyIndex`].
//!
//! The index has the submodules and the executable bits, which the disk may lack, and the content ids of large files,
//! as far as [`TrustedIndex`](super::trusted_index::TrustedIndex) vouches for them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString};
use dtbuild_content::stat::{self, Stat};
use dtbuild_content::tree::ContentId;
use gix::index::entry::{Flags, Mode};
use gix::index::{Entry, State, entry};

use crate::git::memory::Memory;
use crate::git::{GitError, Repository};

impl Repository {
    /// The number of paths in git's index, from the index' header: 4 bytes `DIRC`, 4 of the version, 4 of the number.
    /// None where there is no such index. <https://git-scm.com/docs/index-format>
    #[must_use]
    pub fn tracked_paths(&self) -> Option<u32> {
        let mut header = [0; 12];
        File::open(&self.index).ok()?.read_exact(&mut header).ok()?;
        let [.., a, b, c, d] = header;
        header.starts_with(b"DIRC").then(|| u32::from_be_bytes([a, b, c, d]))
    }
}

/// The entries that git recorded when it last read the working tree.
pub(super) struct Index {
    state: State,
    /// The time when git wrote the index, in nanoseconds since 1970.
    written: i64,
}

impl Index {
    /// Reads the index at `path`; an index that does not exist is empty.
    fn read(path: &Path, hash: gix::hash::Kind) -> Result<Self, GitError> {
        if !path.exists() {
            return Ok(Self { state: State::new(hash), written: 0 });
        }
        // Git does not verify the checksum either: the check would double the time.
        let file = gix::index::File::at(path, hash, true, gix::index::decode::Options::default());
        let broken =
            |source: gix::Error| GitError::BrokenIndex { path: path.to_owned(), source: source.into() };
        let state = State::from(file.map_err(broken)?);
        let time = state.timestamp();
        let written = stat::nanoseconds(time.unix_seconds(), time.nanoseconds().into());
        Ok(Self { state, written })
    }

    /// The paths and blobs of the files called `name`, in all folders.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a BStr, ContentId)> {
        let named = move |path: &BStr| {
            path.strip_suffix(name.as_bytes())
                .is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
        };
        let files = self
            .state
            .entries()
            .iter()
            .filter(|entry| is_file(entry))
            .map(|entry| (entry.path(&self.state), entry.id));
        files.filter(move |(path, _)| named(path))
    }

    /// The entry at `path`; none for a path in conflict.
    fn entry(&self, path: &BStr) -> Option<&Entry> {
        self.state.entry_by_path_and_stage(path, entry::Stage::Unconflicted)
    }

    /// The commit that the index pins a submodule at `path` to.
    pub(super) fn submodule(&self, path: &BStr) -> Option<ContentId> {
        self.entry(path).filter(|entry| entry.mode == Mode::COMMIT).map(|entry| entry.id)
    }

    /// The blob id that the index has for the file at `path`, even if the file on the disk is another.
    pub(super) fn blob(&self, path: &BStr) -> Option<ContentId> {
        self.entry(path).filter(|entry| is_file(entry)).map(|entry| entry.id)
    }

    /// The blob id of the file at `path`, if by `stat` the file did not change since git wrote the index.
    pub(super) fn unchanged(&self, path: &BStr, stat: &Stat) -> Option<ContentId> {
        // The user told git not to look at these files, or git knows only their names.
        let unseen = Flags::ASSUME_VALID | Flags::SKIP_WORKTREE | Flags::INTENT_TO_ADD;
        let seen = |entry: &&Entry| is_file(entry) && !entry.flags.intersects(unseen);
        let same = |entry: &&Entry| says(&entry.stat, stat) && stat.settled_at(self.written);
        self.entry(path).filter(seen).filter(same).map(|entry| entry.id)
    }

    /// True if the index has the file at `path` as executable.
    pub(super) fn is_executable(&self, path: &BStr) -> bool {
        self.entry(path).is_some_and(|entry| entry.mode == Mode::FILE_EXECUTABLE)
    }

    /// The submodules below the folder at `path`.
    pub(super) fn submodules_below(&self, path: &BStr) -> impl Iterator<Item = &BStr> {
        let submodules = self.below(path).filter(|entry| entry.mode == Mode::COMMIT);
        submodules.map(|entry| entry.path(&self.state))
    }

    fn below(&self, path: &BStr) -> impl Iterator<Item = &Entry> {
        let mut prefix = BString::from(path);
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let start = self.state.entries().partition_point(|entry| entry.path(&self.state) < prefix);
        self.state.entries()[start..]
            .iter()
            .take_while(move |entry| entry.path(&self.state).starts_with(&prefix))
    }
}

fn is_file(entry: &Entry) -> bool {
    matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE)
}

/// True if git recorded the numbers of `stat`. Git records the low 32 bits of each number.
fn says(recorded: &entry::Stat, stat: &Stat) -> bool {
    let time = |time: &entry::stat::Time| stat::nanoseconds(time.secs.into(), time.nsecs.into());
    u64::from(recorded.size) == stat.size
        && u64::from(recorded.ino) == stat.inode & u64::from(u32::MAX)
        && time(&recorded.mtime) == stat.mtime
        && time(&recorded.ctime) == stat.ctime
}

/// Git's index, read when it is first needed.
pub(super) struct LazyIndex {
    path: PathBuf,
    hash: gix::hash::Kind,
    memory: Arc<Memory>,
    read: OnceLock<Arc<Index>>,
}

impl LazyIndex {
    pub(super) fn of(repository: &Repository) -> Self {
        let (path, hash) = (repository.index.clone(), repository.object_hash());
        Self { path, hash, memory: Arc::clone(&repository.memory), read: OnceLock::new() }
    }

    /// The number of bytes of the index file; none where there is no index.
    pub(super) fn size(&self) -> Option<u64> {
        self.path.metadata().ok().map(|found| found.len())
    }

    /// The index, as it was on the disk when it was first needed.
    pub(super) fn get(&self) -> Result<&Index, GitError> {
        if let Some(index) = self.read.get() {
            return Ok(index);
        }
        let index = self.memory.disk.index(&self.path, || Index::read(&self.path, self.hash))?;
        Ok(self.read.get_or_init(|| index))
    }
}
