//! The repository of a commit's submodule: the repository in `.git/modules/NAME`, which stays when the submodule is
//! not checked out, or the repository of the submodule's checkout. Start with [`Repository::submodule`].

use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind};

use super::lookup;
use crate::git::objects::broken;
use crate::git::path::join;
use crate::git::submodules::{FILE, Modules};
use crate::git::{CommitId, GitError, Presence, Repository};

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
            match Self::of_submodule(&place, self.code()) {
                Ok(found) => {
                    cloned = true;
                    if found.has_commit(CommitId(commit)).is_ok_and(|found| found == Presence::Known) {
                        return Ok(found);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let text = self.modules_file(top)?.map(|(_, text)| text);
        let mapping = Modules::mapping(text.as_deref(), self, path);
        let (path, repository) = (join(prefix, path), prefix.to_owned());
        Err(GitError::Submodule { path, repository, commit, cloned, mapping })
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
        let Some((id, text)) = self.modules_file(top)? else { return Ok(None) };
        let modules = Modules::parse(&text, self).map_err(|source| broken(&id, FILE.into(), source))?;
        Ok(modules.name(path))
    }

    /// The id and the text of `.gitmodules` in the tree `top`.
    fn modules_file(&self, top: ContentId) -> Result<Option<(ContentId, Vec<u8>)>, GitError> {
        let (objects, file, mut buffer) = (self.objects(), BStr::new(FILE), Vec::new());
        let Some((Kind::File | Kind::Executable, id)) = lookup::find_exact(objects, top, file)? else {
            return Ok(None);
        };
        objects.read(&id, gix::objs::Kind::Blob, file, &mut buffer)?;
        Ok(Some((id, buffer)))
    }
}
