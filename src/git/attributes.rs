//! `.gitattributes` of a commit: whether a checkout holds the bytes that git stores.

use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind};
use gix::attrs::search::{MetadataCollection, Outcome};
use gix::attrs::{Search, StateRef};
use gix::glob::pattern::Case;

use super::diff::join;
use super::objects::Objects;
use super::{GitError, lfs, paths};

/// The file that holds attributes.
pub(super) const FILE: &str = ".gitattributes";

/// The attribute that names a filter.
pub(super) const FILTER: &str = "filter";

/// The attributes by which a checkout may hold other bytes than git stores, and as many.
pub(super) const CONVERSIONS: [&str; 3] = [FILTER, "ident", "working-tree-encoding"];

/// Names of the filters that change files on checkout, by the repository's configuration.
///
/// Git LFS is none of them: its files are had without its program, wherever it is set up or not.
#[derive(Clone, Default)]
pub(super) struct Drivers(Vec<String>);

impl Drivers {
    pub(super) fn of(repository: &gix::Repository) -> Self {
        Self(active(repository, &["smudge", "process"]))
    }

    /// Whether the configuration has a filter that changes files, on checkout or when they are stored.
    pub(super) fn any(repository: &gix::Repository) -> bool {
        !active(repository, &["smudge", "clean", "process"]).is_empty()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a filter of this name changes files.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|driver| driver == name)
    }
}

/// The names of the filters that run a program for one of `keys`.
fn active(repository: &gix::Repository, keys: &[&str]) -> Vec<String> {
    let config = repository.config_snapshot();
    let sections = config.plumbing().sections_by_name(FILTER).into_iter().flatten();
    let active = sections.filter_map(|section| {
        let name = section.header().subsection_name()?.to_string();
        let programs = keys.iter().filter_map(|key| section.value(key));
        let runs = programs.into_iter().any(|program| !program.is_empty() && program != "cat");
        (runs && name != lfs::FILTER).then_some(name)
    });
    active.collect()
}

/// Tells which filter a file of a commit passes through on checkout.
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

    /// The filter of the file at `path`, by the name in `.gitattributes`.
    pub(super) fn of_file(&mut self, path: &BStr) -> Option<String> {
        self.outcome.initialize_with_selection(&self.collection, [FILTER]);
        filter([&self.search], path, Case::Sensitive, &mut self.outcome).map(ToString::to_string)
    }
}

/// The filter of the file at `path`, by the name that attributes give it; those of the first search have the last word.
///
/// `outcome` is one for [`FILTER`] alone, and new.
pub(super) fn filter<'o, 's>(
    searches: impl IntoIterator<Item = &'s Search>,
    path: &BStr,
    case: Case,
    outcome: &'o mut Outcome,
) -> Option<&'o BStr> {
    look_up(searches, path, case, outcome);
    outcome.iter_selected().find_map(|found| match found.assignment.state {
        StateRef::Value(value) => Some(value.as_bstr()),
        _ => None,
    })
}

/// Whether the file at `path` has an attribute of [`CONVERSIONS`], for which `outcome` is; otherwise as for [`filter`].
pub(super) fn converts<'s>(
    searches: impl IntoIterator<Item = &'s Search>,
    path: &BStr,
    case: Case,
    outcome: &mut Outcome,
) -> bool {
    look_up(searches, path, case, outcome);
    outcome.iter_selected().any(|found| matches!(found.assignment.state, StateRef::Set | StateRef::Value(_)))
}

fn look_up<'s>(
    searches: impl IntoIterator<Item = &'s Search>,
    path: &BStr,
    case: Case,
    outcome: &mut Outcome,
) {
    for search in searches {
        search.pattern_matching_relative_path(path, case, Some(false), outcome);
        if outcome.is_done() {
            break;
        }
    }
}

/// The attribute files of the folders above `folder`, the root's first.
fn above(objects: &Objects, top: ContentId, folder: &BStr) -> Result<Vec<(BString, ContentId)>, GitError> {
    let mut files = Vec::new();
    let root = if folder.is_empty() { None } else { Some(0) };
    for end in root.into_iter().chain(folder.find_iter("/")) {
        let path = join(folder[..end].as_bstr(), FILE.into());
        if let Some((Kind::File | Kind::Executable, id)) = paths::find(objects, top, path.as_bstr())? {
            files.push((path, id));
        }
    }
    Ok(files)
}

/// The attribute files in `folder` and below, those of a folder before those of the folders in it.
fn below(objects: &Objects, top: ContentId, folder: &BStr) -> Result<Vec<(BString, ContentId)>, GitError> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    if let Some((Kind::Folder, id)) = paths::find(objects, top, folder)? {
        folders.push((folder.to_owned(), id));
    }
    while let Some((folder, id)) = folders.pop() {
        for node in paths::nodes(objects, id, folder.as_bstr())? {
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
