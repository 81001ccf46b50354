//! The filters through which files of a commit pass on checkout. Start with [`CheckoutFilters`].

use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind};
use gix::attrs::Search;
use gix::attrs::search::{MetadataCollection, Outcome};
use gix::glob::pattern::Case;

use super::lookup;
use crate::git::GitError;
use crate::git::attributes::{FILE, FILTER, filter};
use crate::git::objects::Objects;
use crate::git::path::join;

/// The `.gitattributes` of a commit, in which the filter of a file is looked up.
///
/// Attributes of the machine are left aside: a commit is the same everywhere.
pub(super) struct CheckoutFilters {
    search: Search,
    collection: MetadataCollection,
    outcome: Outcome,
}

impl CheckoutFilters {
    /// Reads the attributes that apply to `folder` of the tree `top`.
    pub(super) fn read(objects: &Objects, top: ContentId, folder: &BStr) -> Result<Self, GitError> {
        let mut files = above(objects, top, folder)?;
        files.extend(below(objects, top, folder)?);
        let mut collection = MetadataCollection::default();
        let unreadable = |source| GitError::unreadable(FILE, source);
        let mut search = Search::new_globals(std::iter::empty::<PathBuf>(), &mut Vec::new(), &mut collection)
            .map_err(unreadable)?;
        let mut buffer = Vec::new();
        for (path, id) in files {
            let text = objects.read(&id, gix::objs::Kind::Blob, path.as_bstr(), &mut buffer)?;
            let source = path.to_path_lossy().into_owned();
            let top_level = path == FILE;
            search
                .add_patterns_buffer(text, source, Some(Path::new("")), &mut collection, top_level)
                .map_err(unreadable)?;
        }
        Ok(Self { search, collection, outcome: Outcome::default() })
    }

    /// The name of the filter that `.gitattributes` give the file at `path`.
    pub(super) fn of_file(&mut self, path: &BStr) -> Option<String> {
        self.outcome.initialize_with_selection(&self.collection, [FILTER]);
        filter([&self.search], path, Case::Sensitive, &mut self.outcome).map(ToString::to_string)
    }
}

/// The attribute files of the folders above `folder`, the root's first.
fn above(objects: &Objects, top: ContentId, folder: &BStr) -> Result<Vec<(BString, ContentId)>, GitError> {
    let mut files = Vec::new();
    let root = if folder.is_empty() { None } else { Some(0) };
    for end in root.into_iter().chain(folder.find_iter("/")) {
        let path = join(folder[..end].as_bstr(), FILE.into());
        if let Some((Kind::File | Kind::Executable, id)) = lookup::find(objects, top, path.as_bstr())? {
            files.push((path, id));
        }
    }
    Ok(files)
}

/// The attribute files in `folder` and below, a folder's own file before the files of the folders in it.
fn below(objects: &Objects, top: ContentId, folder: &BStr) -> Result<Vec<(BString, ContentId)>, GitError> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    if let Some((Kind::Folder, id)) = lookup::find(objects, top, folder)? {
        folders.push((folder.to_owned(), id));
    }
    while let Some((folder, id)) = folders.pop() {
        for node in objects.nodes(id, folder.as_bstr())? {
            let path = join(folder.as_bstr(), node.name.as_bstr());
            match (node.kind, node.id) {
                (Kind::Folder, Some(id)) => folders.push((path, id)),
                (Kind::File | Kind::Executable, Some(id)) if node.name == FILE => files.push((path, id)),
                _ => {}
            }
        }
    }
    Ok(files)
}
