//! The paths that differ between two commits, found by [`Repository::changed_paths`].
//!
//! The diff is a merge walk over the trees of both commits that descends only where ids differ. The walk reads objects
//! alone: the ready-made diffs of gix load an index first, which takes ten times as long as the walk.

use std::cmp::Ordering;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::ContentId;
use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind, EntryRef};

use crate::changed::{ChangeStatus, ChangedPath};
use crate::git::objects::{Objects, broken};
use crate::git::path::join;
use crate::git::{CommitId, GitError, Repository};
use crate::parallel;

impl Repository {
    /// The paths that differ between the commits, sorted, as `git diff --name-status --no-renames base head` lists
    /// them.
    ///
    /// # Errors
    /// When a commit or one of its trees is not in this clone.
    pub fn changed_paths(&self, base: CommitId, head: CommitId) -> Result<Vec<ChangedPath>, GitError> {
        changed(self.objects(), self.tree_of(base)?, self.tree_of(head)?)
    }
}

/// A folder that differs between the commits, with its tree on each side that has the folder.
#[derive(Clone)]
struct Folder {
    path: BString,
    base: Option<ContentId>,
    head: Option<ContentId>,
}

/// The number of waiting folders from which several threads compare folders.
const MANY: usize = 64;
/// The fewest folders for which a thread is started.
const SHARE: usize = 8;

/// The paths that differ between two trees, sorted.
fn changed(objects: &Objects, base: ContentId, head: ContentId) -> Result<Vec<ChangedPath>, GitError> {
    let mut walk = Walk { changes: Vec::new(), folders: Vec::new() };
    if base != head {
        walk.folders.push(Folder { path: BString::default(), base: Some(base), head: Some(head) });
    }
    walk.go_on(objects, MANY)?;
    let threads = parallel::threads(walk.folders.len(), SHARE);
    if threads > 1 {
        let folders: Vec<Folder> = walk.folders.drain(..).collect();
        for changes in parallel::map(&folders, threads, objects, || objects.clone(), below) {
            walk.changes.extend(changes?);
        }
    }
    walk.go_on(objects, usize::MAX)?;
    walk.changes.sort_unstable();
    Ok(walk.changes)
}

/// The commit that a tree of a folder is from.
#[derive(Clone, Copy)]
enum Side {
    Base,
    /// The newer commit. Its trees are kept: the images' contexts are looked up in them next.
    Head,
}

/// The entries of a folder's tree on one side; none where that side has no such folder.
fn entries<'a>(
    objects: &Objects,
    (side, id): (Side, Option<ContentId>),
    path: &'a BStr,
    buffer: &'a mut Vec<u8>,
) -> Result<impl Iterator<Item = Result<EntryRef<'a>, GitError>> + use<'a>, GitError> {
    let tree = match (side, &id) {
        (Side::Base, Some(id)) => objects.tree(id, path, buffer)?,
        (Side::Head, Some(id)) => objects.tree_to_keep(id, path, buffer)?,
        (_, None) => TreeRefIter::from_bytes(&[], objects.hash()),
    };
    let id = id.unwrap_or_else(|| ContentId::null(objects.hash()));
    Ok(tree.map(move |entry| entry.map_err(|source| broken(&id, path, source))))
}

/// The paths that differ below a folder.
fn below(objects: &Objects, folder: &Folder) -> Result<Vec<ChangedPath>, GitError> {
    let mut walk = Walk { changes: Vec::new(), folders: vec![folder.clone()] };
    walk.go_on(objects, usize::MAX)?;
    Ok(walk.changes)
}

struct Walk {
    changes: Vec<ChangedPath>,
    folders: Vec<Folder>,
}

impl Walk {
    /// Compares folders until none is left, or until `enough` of them wait.
    fn go_on(&mut self, objects: &Objects, enough: usize) -> Result<(), GitError> {
        // A stack instead of recursion: how deep folders nest is up to whoever made the commit.
        let (mut left, mut right) = (Vec::new(), Vec::new());
        while self.folders.len() < enough
            && let Some(folder) = self.folders.pop()
        {
            let path = folder.path.as_bstr();
            let base = entries(objects, (Side::Base, folder.base), path, &mut left)?;
            let head = entries(objects, (Side::Head, folder.head), path, &mut right)?;
            self.merge(path, base, head)?;
        }
        Ok(())
    }

    fn merge<'a>(
        &mut self,
        folder: &BStr,
        mut base: impl Iterator<Item = Result<EntryRef<'a>, GitError>>,
        mut head: impl Iterator<Item = Result<EntryRef<'a>, GitError>>,
    ) -> Result<(), GitError> {
        let (mut old, mut new) = (base.next().transpose()?, head.next().transpose()?);
        loop {
            let order = match (&old, &new) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => tree_order(old, new),
            };
            // A file and a folder of one name sort apart, so that one is deleted and the other added.
            let before = if order.is_le() { old } else { None };
            let after = if order.is_ge() { new } else { None };
            self.compare(folder, before, after);
            if order.is_le() {
                old = base.next().transpose()?;
            }
            if order.is_ge() {
                new = head.next().transpose()?;
            }
        }
    }

    fn compare(&mut self, folder: &BStr, old: Option<EntryRef<'_>>, new: Option<EntryRef<'_>>) {
        let Some(name) = old.or(new).map(|entry| entry.filename) else { return };
        let kinds = (old.map(|entry| entry.mode.kind()), new.map(|entry| entry.mode.kind()));
        let ids = (old.map(|entry| entry.oid.to_owned()), new.map(|entry| entry.oid.to_owned()));
        if kinds.0 == kinds.1 && ids.0 == ids.1 {
            return;
        }
        let path = join(folder, name);
        if matches!(kinds, (Some(EntryKind::Tree), _) | (_, Some(EntryKind::Tree))) {
            return self.folders.push(Folder { path, base: ids.0, head: ids.1 });
        }
        let status = match kinds {
            (None, _) => ChangeStatus::Added,
            (_, None) => ChangeStatus::Deleted,
            (Some(old), Some(new)) if is_file(old) == is_file(new) && (is_file(old) || old == new) => {
                ChangeStatus::Modified
            }
            _ => ChangeStatus::TypeChanged,
        };
        self.changes.push(ChangedPath { path, status });
    }
}

fn is_file(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable)
}

/// The order of a tree's entries: by the bytes of their names, a folder's name with a `/` at its end.
fn tree_order(left: &EntryRef<'_>, right: &EntryRef<'_>) -> Ordering {
    let common = left.filename.len().min(right.filename.len());
    let next = |entry: &EntryRef<'_>| {
        let end = if entry.mode.is_tree() { Some(b'/') } else { None };
        entry.filename.get(common).copied().or(end)
    };
    left.filename[..common].cmp(&right.filename[..common]).then_with(|| next(left).cmp(&next(right)))
}
