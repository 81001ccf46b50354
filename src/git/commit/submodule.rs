//! The repository of a commit's submodule: the one in `.git/modules/NAME`, which stays when the submodule is not checked out,
//! or the one of its checkout.

use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind};

use super::lookup;
use crate::git::objects::broken;
use crate::git::path::join;
use crate::git::{CommitId, GitError, Presence, Repository};

/// The file that names submodules.
const FILE: &str = ".gitmodules";

impl Repository {
    /// The repository of the submodule at `path` of the tree `top`, which pins the submodule to `commit`.
    ///
    /// `prefix` is the path of this repository in the outermost one, for messages.
    pub(super) fn submodule(
        &self,
        top: ContentId,
        path: &BStr,
        commit: ContentId,
        prefix: &BStr,
    ) -> Result<Self, GitError> {
        let (mut cloned, mut failure) = (false, None);
        for place in self.submodule_places(top, path)? {
            match Self::at_git_folder(&place, self.code()) {
                Ok(found) => {
                    cloned = true;
                    if found.has_commit(CommitId(commit)).is_ok_and(|found| found == Presence::Known) {
                        return Ok(found);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let (path, repository) = (join(prefix, path), prefix.to_owned());
        Err(failure.unwrap_or(GitError::Submodule { path, repository, commit, cloned }))
    }

    /// The existing folders in which the submodule's repository can be.
    fn submodule_places(&self, top: ContentId, path: &BStr) -> Result<Vec<PathBuf>, GitError> {
        let mut places = Vec::new();
        if let Some(name) = self.submodule_name(top, path)? {
            let name = name.to_path_lossy();
            // A linked work tree has submodules of its own.
            let folders = [self.inner.git_dir(), self.inner.common_dir()];
            places.extend(folders.map(|folder| folder.join("modules").join(&name)));
        }
        places.retain(|place| place.join("HEAD").is_file());
        let checkout = self.root().ok().map(|root| root.join(path.to_path_lossy()));
        places.extend(checkout.filter(|place| place.join(".git").exists()));
        Ok(places)
    }

    /// The name that `.gitmodules` of the tree `top` gives the submodule at `path`.
    fn submodule_name(&self, top: ContentId, path: &BStr) -> Result<Option<BString>, GitError> {
        let (objects, file, mut buffer) = (self.objects(), BStr::new(FILE), Vec::new());
        let Some((Kind::File | Kind::Executable, id)) = lookup::find_exact(objects, top, file)? else {
            return Ok(None);
        };
        let text = objects.read(&id, gix::objs::Kind::Blob, file, &mut buffer)?;
        let config = self.inner.config_snapshot();
        let named = gix::submodule::File::from_bytes(text, None, config.plumbing())
            .map_err(|source| broken(&id, file, source))?;
        let name = named.name_by_path(path).map(ToOwned::to_owned);
        // Git refuses names that lead out of the folder of submodules, too.
        let inside = |name: &BString| name.split_str("/").all(|part| !matches!(part, b"" | b"." | b".."));
        Ok(name.filter(inside))
    }
}
