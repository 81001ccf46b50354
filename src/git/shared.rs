//! What is known of trees: by this run, for as long as it lasts, and by earlier ones. Start with [`Shared`].

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bstr::{BStr, BString};
use dtbuild_content::memo::Memo;
use dtbuild_content::stat::StatCache;
use dtbuild_content::tree::{ContentId, Node};

use super::index::Index;
use super::sizes::Sizes;
use super::tracking::Tracking;
use super::{CommitId, GitError};

/// Where the memo is, from the git folder that linked work trees share.
const MEMO: &str = "dtbuild/memo";

/// The largest file that is kept: ignore files and Dockerfiles are smaller.
const SMALL_FILE: usize = 16 * 1024;

/// How many bytes of trees are kept for who reads them next: of some ten thousand.
const MOST_BODIES: usize = 16 * 1024 * 1024;

/// What tells one file of an index from the next: inode, size, time of writing. None where there is no file.
type IndexFile = Option<(u64, u64, i64, i64)>;

/// What is in a tree, by its names.
pub(super) type Names = Arc<[Node]>;

/// Trees as git has them, not more than [`MOST_BODIES`].
#[derive(Default)]
struct Bodies {
    by_tree: HashMap<ContentId, Vec<u8>>,
    size: usize,
}

impl Bodies {
    fn keep(&mut self, tree: ContentId, body: &[u8]) {
        if self.size + body.len() <= MOST_BODIES {
            self.size += body.len();
            let before = self.by_tree.insert(tree, body.to_vec());
            self.size -= before.map_or(0, |before| before.len());
        }
    }

    fn take(&mut self, tree: &ContentId) -> Option<Vec<u8>> {
        let body = self.by_tree.remove(tree)?;
        self.size -= body.len();
        Some(body)
    }
}

/// Shared by all handles of a repository.
pub(super) struct Shared {
    memo_path: PathBuf,
    memo: OnceLock<Memo>,
    /// The trees on the way to contexts, most of which every image asks for.
    trees: Mutex<HashMap<ContentId, Names>>,
    /// Trees that were read for their changes, as git has them: what images read of them is asked next.
    bodies: Mutex<Bodies>,
    /// Files that were read: many folders have the same ignore file.
    files: Mutex<HashMap<ContentId, Arc<[u8]>>>,
    /// The trees of commits that were asked for.
    commits: Mutex<HashMap<CommitId, ContentId>>,
    /// Git's index and the stat cache: one for all folders of the working tree.
    index: Mutex<Option<(IndexFile, Arc<Index>)>>,
    stats: OnceLock<Arc<StatCache>>,
    /// What tells the sizes of blobs, if anything does.
    sizes: OnceLock<Option<Arc<Sizes>>>,
    /// How many bytes the large files have that were to be identified.
    large: AtomicU64,
    /// The attributes that apply in folders of the working tree.
    tracking: Mutex<HashMap<BString, Arc<Tracking>>>,
}

impl Shared {
    /// Nothing yet; `common` is the git folder that linked work trees share.
    pub(super) fn new(common: &Path) -> Self {
        Self {
            memo_path: common.join(MEMO),
            memo: OnceLock::new(),
            trees: Mutex::default(),
            bodies: Mutex::default(),
            files: Mutex::default(),
            commits: Mutex::default(),
            index: Mutex::default(),
            stats: OnceLock::new(),
            sizes: OnceLock::new(),
            large: AtomicU64::default(),
            tracking: Mutex::default(),
        }
    }

    /// What earlier runs found out. Opened when it is first asked for.
    pub(super) fn memo(&self) -> &Memo {
        self.memo.get_or_init(|| Memo::open(&self.memo_path))
    }

    /// Keeps what this run found out. What cannot be kept costs the next one time, and nothing else.
    pub(super) fn save(&self) {
        if let Some(memo) = self.memo.get() {
            let _ = memo.save();
        }
        if let Some(stats) = self.stats.get() {
            let _ = stats.save();
        }
    }

    /// Git's index; read again only when git wrote it anew.
    pub(super) fn index(
        &self,
        path: &Path,
        read: impl FnOnce() -> Result<Index, GitError>,
    ) -> Result<Arc<Index>, GitError> {
        let file =
            path.metadata().ok().map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec()));
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, index)) = &*known
            && *of == file
        {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(read()?);
        *known = Some((file, Arc::clone(&index)));
        Ok(index)
    }

    /// What files of the working tree hashed to.
    pub(super) fn stats(&self, load: impl FnOnce() -> StatCache) -> Arc<StatCache> {
        Arc::clone(self.stats.get_or_init(|| Arc::new(load())))
    }

    /// What tells the sizes of blobs; opened once.
    pub(super) fn sizes(&self, open: impl FnOnce() -> Option<Sizes>) -> Option<Arc<Sizes>> {
        self.sizes.get_or_init(|| open().map(Arc::new)).clone()
    }

    /// Counts the bytes of more large files that are to be identified, and gives those of all.
    pub(super) fn large(&self, bytes: u64) -> u64 {
        self.large.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// The attributes that `name` stands for; found out once.
    pub(super) fn tracking(
        &self,
        name: &BStr,
        find: impl FnOnce() -> Result<Arc<Tracking>, GitError>,
    ) -> Result<Arc<Tracking>, GitError> {
        let known = self.tracking.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(tracking) = known {
            return Ok(tracking);
        }
        let tracking = find()?;
        self.tracking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Arc::clone(&tracking));
        Ok(tracking)
    }

    pub(super) fn names(&self, tree: &ContentId) -> Option<Names> {
        self.trees().get(tree).cloned()
    }

    pub(super) fn note(&self, tree: ContentId, names: &Names) {
        self.trees().insert(tree, Arc::clone(names));
    }

    /// The body of a tree that was kept: for once, so that it does not stay.
    pub(super) fn take_body(&self, tree: &ContentId) -> Option<Vec<u8>> {
        self.bodies().take(tree)
    }

    /// Keeps the body of a tree for who reads it next.
    pub(super) fn keep_body(&self, tree: ContentId, body: &[u8]) {
        self.bodies().keep(tree, body);
    }

    /// The content of a file, where it was read in this run.
    pub(super) fn file(&self, id: &ContentId) -> Option<Arc<[u8]>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Keeps the content of a small file.
    pub(super) fn keep_file(&self, id: ContentId, content: &[u8]) {
        if content.len() <= SMALL_FILE {
            self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(id, content.into());
        }
    }

    /// The tree of a commit; found out once.
    pub(super) fn tree_of(
        &self,
        commit: CommitId,
        find: impl FnOnce() -> Result<ContentId, GitError>,
    ) -> Result<ContentId, GitError> {
        let known = self.commits.lock().unwrap_or_else(PoisonError::into_inner).get(&commit).copied();
        if let Some(tree) = known {
            return Ok(tree);
        }
        let tree = find()?;
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).insert(commit, tree);
        Ok(tree)
    }

    fn bodies(&self) -> MutexGuard<'_, Bodies> {
        // A panic elsewhere may leave the count too large, so that less is kept.
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trees(&self) -> MutexGuard<'_, HashMap<ContentId, Names>> {
        // Names are inserted whole or not at all.
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.save();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_kept_for_one_reader_and_only_so_many() {
        let (mut bodies, id) = (Bodies::default(), |seed| ContentId::from([seed; 20]));
        let half = vec![0; MOST_BODIES / 2];
        for seed in [1, 1, 2, 3] {
            bodies.keep(id(seed), &half);
        }
        assert_eq!([1, 2, 3].map(|seed| bodies.take(&id(seed)).is_some()), [true, true, false]);
        assert_eq!((bodies.take(&id(1)), bodies.size), (None, 0));
    }
}
