//! Lookup of a path in a commit, with symbolic links followed as in a checkout. Start with [`Repository::read_file`].

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind};

use crate::git::objects::Objects;
use crate::git::path::names;
use crate::git::repository::FILE_LIMIT;
use crate::git::{CommitId, GitError, Repository};

/// The most symbolic links that a path may go through, as on Linux.
const LINKS: usize = 40;

impl Repository {
    /// The content of the file at `path` in the commit; none where there is no file. Links are
    /// followed as long as they stay in the repository.
    ///
    /// # Errors
    /// When an object is missing, a link leads out of the repository, or the file has more than 16 MiB.
    pub fn read_file(&self, commit: CommitId, path: &BStr) -> Result<Option<Vec<u8>>, GitError> {
        let (objects, top) = (self.objects(), self.tree_of(commit)?);
        let id = match locate(objects, top, path)? {
            Location::Found(Kind::File | Kind::Executable, id) => id,
            Location::Inside(gitlink) => {
                let repository =
                    self.submodule(top, gitlink.path.as_bstr(), gitlink.commit, BStr::new(""))?;
                return repository.read_file(CommitId(gitlink.commit), gitlink.rest.as_bstr());
            }
            Location::Found(..) | Location::Nowhere => return Ok(None),
        };
        if let Some(content) = self.memory.file(&id) {
            return Ok(Some(content.to_vec()));
        }
        let size = objects.size(&id, path)?;
        if size > FILE_LIMIT {
            return Err(GitError::TooLarge { path: path.to_owned(), size, limit: FILE_LIMIT });
        }
        let mut content = Vec::new();
        objects.read(&id, gix::objs::Kind::Blob, path, &mut content)?;
        self.memory.keep_file(id, &content);
        Ok(Some(content))
    }

    /// The kind and id of the file, link, folder or submodule at `path` of the commit, links not followed. An empty
    /// path is the commit's own tree; none where the commit has no such path.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn entry(&self, commit: CommitId, path: &BStr) -> Result<Option<(Kind, ContentId)>, GitError> {
        find_exact(self.objects(), self.tree_of(commit)?, path)
    }
}

/// The place that a path of a tree leads to.
pub(super) enum Location {
    /// Nothing is there.
    Nowhere,
    /// The file, link or folder that is there.
    Found(Kind, ContentId),
    /// A submodule, or a path inside of one.
    Inside(Gitlink),
}

/// A path in a submodule.
pub(super) struct Gitlink {
    /// The path of the submodule.
    pub(super) path: BString,
    pub(super) commit: ContentId,
    /// The path from the submodule's root.
    pub(super) rest: BString,
}

/// The kind and id of the file or folder at `path` of the tree `root`, links followed, submodules not opened.
pub(super) fn find(
    objects: &Objects,
    root: ContentId,
    path: &BStr,
) -> Result<Option<(Kind, ContentId)>, GitError> {
    Ok(match locate(objects, root, path)? {
        Location::Found(kind, id) => Some((kind, id)),
        Location::Inside(gitlink) if gitlink.rest.is_empty() => Some((Kind::Submodule, gitlink.commit)),
        Location::Inside(_) | Location::Nowhere => None,
    })
}

/// The place that `path` of the tree `root` leads to, links followed.
pub(super) fn locate(objects: &Objects, root: ContentId, path: &BStr) -> Result<Location, GitError> {
    let mut pending: Vec<BString> = reversed(path);
    let mut above: Vec<(ContentId, BString)> = Vec::new();
    let mut folder = root;
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == ".." {
            let leaves = || GitError::LeavesRepository { path: path.to_owned(), link: "..".into() };
            folder = above.pop().ok_or_else(leaves)?.0;
            continue;
        }
        let Some((kind, id)) = entry(objects, folder, name.as_bstr(), path)? else {
            return Ok(Location::Nowhere);
        };
        match kind {
            Kind::Folder => above.push((std::mem::replace(&mut folder, id), name)),
            Kind::Symlink => {
                links += 1;
                if links > LINKS {
                    return Err(GitError::LinkLoop { path: path.to_owned() });
                }
                let mut buffer = Vec::new();
                let link = objects.read(&id, gix::objs::Kind::Blob, path, &mut buffer)?.as_bstr();
                if link.starts_with(b"/") {
                    return Err(GitError::LeavesRepository { path: path.to_owned(), link: link.to_owned() });
                }
                pending.extend(reversed(link));
            }
            Kind::Submodule => {
                let names = above.into_iter().map(|(_, name)| name).chain([name]);
                pending.reverse();
                return Ok(Location::Inside(Gitlink {
                    path: bstr::join("/", names.collect::<Vec<_>>()).into(),
                    commit: id,
                    rest: bstr::join("/", pending).into(),
                }));
            }
            _ if pending.is_empty() => return Ok(Location::Found(kind, id)),
            _ => return Ok(Location::Nowhere),
        }
    }
    Ok(Location::Found(Kind::Folder, folder))
}

/// The kind and id of the entry at `path` of the tree `root`, links not followed.
pub(in crate::git) fn find_exact(
    objects: &Objects,
    root: ContentId,
    path: &BStr,
) -> Result<Option<(Kind, ContentId)>, GitError> {
    let mut found = (Kind::Folder, root);
    for name in names(path) {
        match found {
            (Kind::Folder, id) => match entry(objects, id, name, path)? {
                Some(next) => found = next,
                None => return Ok(None),
            },
            _ => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// The names of a path, the last one first.
fn reversed(path: &BStr) -> Vec<BString> {
    names(path).rev().map(BStr::to_owned).collect()
}

/// The kind and id of the entry `name` in the tree `folder`; errors name `path`.
fn entry(
    objects: &Objects,
    folder: ContentId,
    name: &BStr,
    path: &BStr,
) -> Result<Option<(Kind, ContentId)>, GitError> {
    let names = objects.names(folder, path)?;
    let found = names.binary_search_by(|node| node.name.as_bstr().cmp(name)).ok();
    Ok(found.and_then(|found| Some((names[found].kind, names[found].id?))))
}
