//! Finding a path in a commit, the way a checkout of it would.

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind, Node};
use gix::objs::tree::EntryKind;

use super::objects::{Objects, broken};
use super::{CommitId, GitError, Repository};

/// How many links a path may go through, as Linux has it.
const LINKS: usize = 40;

/// The largest file that [`Repository::read_file`] reads.
const LIMIT: u64 = 16 * 1024 * 1024;

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
        if let Some(content) = self.shared.file(&id) {
            return Ok(Some(content.to_vec()));
        }
        let size = objects.size(&id, path)?;
        if size > LIMIT {
            return Err(GitError::TooLarge { path: path.to_owned(), size, limit: LIMIT });
        }
        let mut content = Vec::new();
        objects.read(&id, gix::objs::Kind::Blob, path, &mut content)?;
        self.shared.keep_file(id, &content);
        Ok(Some(content))
    }
}

impl Repository {
    /// What is at `path` of the commit, empty for its tree, where no link leads there; none where there is nothing.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn entry(&self, commit: CommitId, path: &BStr) -> Result<Option<(Kind, ContentId)>, GitError> {
        find_exact(self.objects(), self.tree_of(commit)?, path)
    }

    /// The content of the file at `path` of the working tree; none where there is no file. Links are followed
    /// as long as they stay in the repository.
    ///
    /// # Errors
    /// When it cannot be read, a link leads out of the repository, or the file has more than 16 MiB.
    pub fn read_from_disk(&self, path: &BStr) -> Result<Option<Vec<u8>>, GitError> {
        let Some((place, _)) = self.on_disk(path)? else { return Ok(None) };
        let unreadable = |source| GitError::Unreadable { path: place.clone(), source };
        let metadata = std::fs::metadata(&place).map_err(unreadable)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        if metadata.len() > LIMIT {
            let (path, size) = (path.to_owned(), metadata.len());
            return Err(GitError::TooLarge { path, size, limit: LIMIT });
        }
        std::fs::read(&place).map(Some).map_err(unreadable)
    }
}

/// Where a path of a tree leads.
pub(super) enum Location {
    /// To nothing.
    Nowhere,
    /// To this.
    Found(Kind, ContentId),
    /// Into a submodule, or to its root.
    Inside(Gitlink),
}

/// A path in a submodule.
pub(super) struct Gitlink {
    /// The submodule.
    pub(super) path: BString,
    pub(super) commit: ContentId,
    /// The path from its root.
    pub(super) rest: BString,
}

/// What is at `path` of the tree `root`, links followed; a submodule is not looked into.
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

/// Where `path` of the tree `root` leads, links followed.
pub(super) fn locate(objects: &Objects, root: ContentId, path: &BStr) -> Result<Location, GitError> {
    let mut pending: Vec<BString> = components(path);
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
                pending.extend(components(link));
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

/// What is at `path` of the tree `root`, no links followed.
pub(super) fn find_exact(
    objects: &Objects,
    root: ContentId,
    path: &BStr,
) -> Result<Option<(Kind, ContentId)>, GitError> {
    let mut found = (Kind::Folder, root);
    for name in parts(path) {
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

/// The components of a path that say something.
fn parts(path: &BStr) -> impl DoubleEndedIterator<Item = &BStr> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).map(BStr::new)
}

/// The components of a path, the last one first.
fn components(path: &BStr) -> Vec<BString> {
    parts(path).rev().map(BStr::to_owned).collect()
}

/// The path without `.` and needless slashes.
pub(super) fn clean(path: &BStr) -> BString {
    bstr::join("/", parts(path)).into()
}

/// What `name` is in the tree `folder`; `path` is what the folder is read for.
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

/// All names in the tree `id`, the folder at `path`.
pub(super) fn nodes(objects: &Objects, id: ContentId, path: &BStr) -> Result<Vec<Node>, GitError> {
    let mut buffer = Vec::new();
    // Room for what most folders hold.
    let mut nodes = Vec::with_capacity(16);
    for entry in objects.tree(&id, path, &mut buffer)? {
        let entry = entry.map_err(|source| broken(&id, path, source))?;
        let (name, kind) = (entry.filename.to_owned(), kind(entry.mode.kind()));
        nodes.push(Node { name, kind, id: Some(entry.oid.to_owned()) });
    }
    Ok(nodes)
}

fn kind(entry: EntryKind) -> Kind {
    match entry {
        EntryKind::Tree => Kind::Folder,
        EntryKind::Blob => Kind::File,
        EntryKind::BlobExecutable => Kind::Executable,
        EntryKind::Link => Kind::Symlink,
        EntryKind::Commit => Kind::Submodule,
    }
}
