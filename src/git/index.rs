//! Git's index, as far as it knows what files of the working tree hold.

use bstr::{BStr, BString};
use dtbuild_cache::tree::ContentId;
use gix::index::entry::{Flags, Mode};
use gix::index::{Entry, State, entry};

use super::disk::Stat;
use super::{GitError, Repository};

/// How long before the index was written a file must have been left alone to be trusted, in
/// nanoseconds: clocks of file systems tick every few milliseconds, and a file that changes twice
/// within a tick looks the same.
const SETTLED: i128 = 50_000_000;

const SECOND: i128 = 1_000_000_000;

/// What git recorded when it last looked at the working tree.
pub(super) struct Index {
    state: State,
    /// When it was written, in nanoseconds since 1970.
    written: i128,
}

impl Index {
    /// Reads the repository's index; one that does not exist is empty.
    pub(super) fn read(repository: &Repository) -> Result<Self, GitError> {
        let (path, hash) = (repository.inner.index_path(), repository.object_hash());
        let state = if path.exists() {
            // Git does not verify the checksum either: it would double the time.
            let file = gix::index::File::at(&path, hash, true, gix::index::decode::Options::default());
            State::from(file.map_err(|source| GitError::BrokenIndex { path, source: source.into() })?)
        } else {
            State::new(hash)
        };
        let written = state.timestamp();
        let written = i128::from(written.unix_seconds()) * SECOND + i128::from(written.nanoseconds());
        Ok(Self { state, written })
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The entry at `path`, unless it is in conflict.
    fn entry(&self, path: &BStr) -> Option<&Entry> {
        self.state.entry_by_path_and_stage(path, entry::Stage::Unconflicted)
    }

    /// The commit that the index pins a submodule at `path` to.
    pub(super) fn submodule(&self, path: &BStr) -> Option<ContentId> {
        self.entry(path).filter(|entry| entry.mode == Mode::COMMIT).map(|entry| entry.id)
    }

    /// The blob that git has of the file at `path`, whether or not it is what the disk has.
    pub(super) fn blob(&self, path: &BStr) -> Option<ContentId> {
        let is_file = |entry: &&Entry| matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
        self.entry(path).filter(is_file).map(|entry| entry.id)
    }

    /// Whether git has the file at `path` as executable.
    pub(super) fn is_executable(&self, path: &BStr) -> bool {
        self.entry(path).is_some_and(|entry| entry.mode == Mode::FILE_EXECUTABLE)
    }

    /// Whether git has anything below the folder at `path`, or the folder itself as a sparse one.
    pub(super) fn has_below(&self, path: &BStr) -> bool {
        self.below(path).next().is_some()
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

    /// The blob that git last saw in the file at `path`, if nothing happened to it since.
    ///
    /// It is what git would store, which need not be what the disk holds.
    pub(super) fn clean(&self, path: &BStr, stat: &Stat) -> Option<ContentId> {
        let entry = self.entry(path)?;
        let matches = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE)
            && !entry.flags.contains(Flags::INTENT_TO_ADD)
            && same(&entry.stat, stat)
            // Git writes the size 0 for files that it does not trust.
            && (stat.size > 0 || entry.id.is_empty_blob())
            && self.settled(stat.modified)
            && self.settled(stat.changed);
        matches.then_some(entry.id)
    }

    /// Whether a time lies far enough before the index was written.
    fn settled(&self, (seconds, nanos): (i64, i64)) -> bool {
        // A time without a fraction comes from a file system that counts in seconds.
        let tick = if nanos == 0 || self.written % SECOND == 0 { SECOND } else { SETTLED };
        i128::from(seconds) * SECOND + i128::from(nanos) + tick < self.written
    }
}

/// Whether the index recorded this very state of a file.
fn same(recorded: &entry::Stat, stat: &Stat) -> bool {
    let same = |recorded: entry::stat::Time, (seconds, nanos): (i64, i64)| {
        // The index holds the low 32 bits.
        i64::from(recorded.secs) == seconds & 0xffff_ffff && i64::from(recorded.nsecs) == nanos
    };
    u64::from(recorded.size) == stat.size
        && u64::from(recorded.ino) == stat.inode & 0xffff_ffff
        && same(recorded.mtime, stat.modified)
        && same(recorded.ctime, stat.changed)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    fn git(folder: &Path, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE");
        assert!(git.current_dir(folder).args(arguments).status().unwrap().success());
    }

    fn clean(folder: &Path, name: &str) -> Option<String> {
        let index = Index::read(&Repository::discover(folder).unwrap()).unwrap();
        let stat = Stat::from(&folder.join(name).symlink_metadata().unwrap());
        index.clean(name.into(), &stat).map(|id| id.to_string())
    }

    #[test]
    fn only_files_left_alone_for_a_while_are_clean() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        git(folder, &["init", "--quiet"]);
        fs::write(folder.join("a"), "1\n").unwrap();
        fs::write(folder.join("later"), "1\n").unwrap();
        git(folder, &["add", "a"]);
        git(folder, &["add", "--intent-to-add", "later"]);
        std::thread::sleep(Duration::from_millis(100));
        git(folder, &["update-index", "--force-write-index"]);
        let first = clean(folder, "a");
        assert_eq!(first.as_deref(), Some("d00491fd7e5bb6fa28c517a0bb32b8b506539d4d"));
        assert_eq!(clean(folder, "later"), None, "git has its name only");

        fs::write(folder.join("a"), "2\n").unwrap();
        assert_eq!(clean(folder, "a"), None);
        git(folder, &["add", "a"]);
        assert_ne!(clean(folder, "a"), first, "it changed just before the index was written");
    }

    #[test]
    fn folders_are_found_by_what_is_below_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        git(folder, &["init", "--quiet"]);
        let index = || Index::read(&Repository::discover(folder).unwrap()).unwrap();
        assert!(!index().has_below("".into()), "there is no index yet");
        for (directory, name) in [("a", "x"), ("a.b", "x"), ("b", "x")] {
            fs::create_dir(folder.join(directory)).unwrap();
            fs::write(folder.join(directory).join(name), "").unwrap();
        }
        git(folder, &["add", "a.b"]);
        let index = index();
        assert!(index.has_below("a.b".into()) && index.has_below("".into()));
        assert!(!index.has_below("a".into()) && !index.has_below("b".into()));
    }
}
