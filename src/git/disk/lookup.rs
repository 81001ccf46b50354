//! Lookup of a path on the disk, with symbolic links followed as long as they stay in the repository. Start with
//! [`Repository::read_from_disk`].

use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice as _};

use super::system::is_missing;
use crate::git::repository::FILE_LIMIT;
use crate::git::{GitError, Repository};

impl Repository {
    /// The content of the file at `path` of the working tree; none where there is no file. Links are followed
    /// as long as they stay in the repository.
    ///
    /// # Errors
    /// When the file cannot be read, a link leads out of the repository, or the file has more than 16 MiB.
    pub fn read_from_disk(&self, path: &BStr) -> Result<Option<Vec<u8>>, GitError> {
        let Some((place, _)) = self.on_disk(path)? else { return Ok(None) };
        let unreadable = |source| GitError::Unreadable { path: place.clone(), source };
        let metadata = std::fs::metadata(&place).map_err(unreadable)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        if metadata.len() > FILE_LIMIT {
            let (path, size) = (path.to_owned(), metadata.len());
            return Err(GitError::TooLarge { path, size, limit: FILE_LIMIT });
        }
        std::fs::read(&place).map(Some).map_err(unreadable)
    }

    /// The absolute path of `path` on the disk, and the path from the root of the work tree, both with links resolved;
    /// none where the disk has no such path.
    ///
    /// # Errors
    /// When a link leads out of the work tree or cannot be followed, or when the repository is bare.
    pub(super) fn on_disk(&self, path: &BStr) -> Result<Option<(PathBuf, BString)>, GitError> {
        let mut place = self.root()?.to_owned();
        // Most paths have no links to resolve.
        for name in path.split_str("/").filter(|_| !path.is_empty()) {
            place.push(name.to_path_lossy());
            let special = matches!(name, b"" | b"." | b"..");
            match place.symlink_metadata() {
                Ok(found) if !special && !found.is_symlink() => {}
                Err(error) if is_missing(&error) => return Ok(None),
                _ => return self.resolved_on_disk(path),
            }
        }
        Ok(Some((place, path.to_owned())))
    }

    fn resolved_on_disk(&self, path: &BStr) -> Result<Option<(PathBuf, BString)>, GitError> {
        let place = self.root()?.join(path.to_path_lossy());
        match place.canonicalize() {
            Ok(place) => self.prefix(&place).map(|path| Some((place, path))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(GitError::Unreadable { path: place, source }),
        }
    }
}
