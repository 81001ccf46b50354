//! The memory that all handles of a repository share: trees, files and commits that this run read, and the memo of
//! digests that earlier runs took. Start with [`Memory`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use dtbuild_content::fingerprint::Fingerprint;
use dtbuild_content::memo::Memo;
use dtbuild_content::tree::{ContentId, Node};

use super::disk::DiskMemory;
use super::{CommitId, GitError};

/// The folder of the memo and the stat cache, in a git folder.
pub(super) const FOLDER: &str = "dtbuild";

/// The size of the largest file that is kept in memory, in bytes: ignore files and Dockerfiles are smaller.
const SMALL_FILE: usize = 16 * 1024;

/// The most bytes of trees that are kept for their next reader: about ten thousand trees.
const MOST_BODIES: usize = 16 * 1024 * 1024;

/// The entries of a tree, sorted by name.
pub(super) type Names = Arc<[Node]>;

/// The bytes of trees by the tree's id, [`MOST_BODIES`] in all at most.
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

/// The memory of a repository, which all handles share.
pub(super) struct Memory {
    /// The fingerprint of the code; the memory of earlier runs counts only if their code had this fingerprint.
    pub(super) code: Fingerprint,
    folder: PathBuf,
    memo: OnceLock<Memo>,
    /// The entries of trees of folders above contexts, most of which every image needs.
    trees: Mutex<HashMap<ContentId, Names>>,
    /// The bytes of trees that were read for changed paths: the images' contexts are looked up in these trees next.
    bodies: Mutex<Bodies>,
    /// The contents of small files, by blob id: many folders have the same ignore file.
    files: Mutex<HashMap<ContentId, Arc<[u8]>>>,
    /// The id of each commit's tree.
    commits: Mutex<HashMap<CommitId, ContentId>>,
    /// The memory of the working tree.
    pub(super) disk: DiskMemory,
}

impl Memory {
    /// An empty memory; `common` is the git folder that linked work trees share.
    pub(super) fn new(common: &Path, code: Fingerprint) -> Self {
        Self {
            code,
            folder: common.join(FOLDER),
            memo: OnceLock::new(),
            trees: Mutex::default(),
            bodies: Mutex::default(),
            files: Mutex::default(),
            commits: Mutex::default(),
            disk: DiskMemory::default(),
        }
    }

    /// The memo of earlier runs, opened when it is first needed.
    pub(super) fn memo(&self) -> &Memo {
        self.memo.get_or_init(|| Memo::open(&self.folder, &self.code))
    }

    /// Stores the memo and the stat cache. A failure costs the next run time, and nothing else.
    pub(super) fn save(&self) {
        if let Some(memo) = self.memo.get() {
            let _ = memo.save();
        }
        self.disk.save();
    }

    /// The entries of a tree that this run read.
    pub(super) fn names(&self, tree: &ContentId) -> Option<Names> {
        self.trees().get(tree).cloned()
    }

    /// Keeps the entries of a tree.
    pub(super) fn note(&self, tree: ContentId, names: &Names) {
        self.trees().insert(tree, Arc::clone(names));
    }

    /// Takes the kept bytes of a tree out of the memory.
    pub(super) fn take_body(&self, tree: &ContentId) -> Option<Vec<u8>> {
        self.bodies().take(tree)
    }

    /// Keeps the bytes of a tree for its next reader.
    pub(super) fn keep_body(&self, tree: ContentId, body: &[u8]) {
        self.bodies().keep(tree, body);
    }

    /// The content of a small file that this run read.
    pub(super) fn file(&self, id: &ContentId) -> Option<Arc<[u8]>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Keeps the content of a small file.
    pub(super) fn keep_file(&self, id: ContentId, content: &[u8]) {
        if content.len() <= SMALL_FILE {
            self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(id, content.into());
        }
    }

    /// The id of a commit's tree; a run calls `find` once for a commit.
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

impl Drop for Memory {
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
