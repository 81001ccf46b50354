//! The git attributes of the working tree: the files that Git LFS keeps, and the files that a checkout converts. Start
//! with [`FolderAttributes`].

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use gix::attrs::Search;
use gix::attrs::search::{MetadataCollection, Outcome};
use gix::glob::pattern::Case;

use super::index::LazyIndex;
use super::system::is_missing;
use crate::git::attributes::{CONVERSIONS, FILE, FILTER, converts, filter};
use crate::git::path::join;
use crate::git::{GitError, Repository, lfs};

/// The attributes that apply in a folder.
#[derive(Clone)]
pub(super) struct FolderAttributes {
    /// The attributes of the machine, then of the folders from the root on.
    folders: Search,
    /// The attributes in the git folder, which take precedence.
    own: Search,
    collection: MetadataCollection,
    case: Case,
    /// True if any attribute names a filter.
    filters: bool,
    /// True if any attribute converts files.
    conversions: bool,
    /// The attribute files that a sparse checkout leaves out, by path.
    left_out: Arc<HashMap<BString, Vec<u8>>>,
}

impl Repository {
    /// The attributes that apply in the folder that holds `folder` of the working tree.
    pub(super) fn attributes_above(
        &self,
        folder: &BStr,
        index: &LazyIndex,
    ) -> Result<Arc<FolderAttributes>, GitError> {
        let Some(parent) = (!folder.is_empty()).then(|| folder.rfind_byte(b'/').unwrap_or(0)) else {
            return self.memory.disk.attributes(BStr::new("/"), || FolderAttributes::of_machine(self, index));
        };
        let parent = folder[..parent].as_bstr();
        let above = self.attributes_above(parent, index)?;
        self.memory.disk.attributes(parent, || {
            let file = self.root()?.join(parent.to_path_lossy()).join(FILE);
            // Git does not follow a link in place of the attribute file.
            let is_there = file.symlink_metadata().is_ok_and(|found| found.is_file());
            let text = is_there.then(|| fs::read(&file)).transpose();
            let text = text.map_err(|source| broken(join(parent, FILE.into()), source))?;
            above.inside(parent, text.as_deref()).map(|own| own.unwrap_or_else(|| above.clone()))
        })
    }
}

impl FolderAttributes {
    /// The attributes that apply in every folder of a repository.
    fn of_machine(repository: &Repository, index: &LazyIndex) -> Result<Arc<Self>, GitError> {
        let config = repository.inner.config_snapshot();
        let fold = config.boolean("core.ignoreCase").unwrap_or(false);
        let mut collection = MetadataCollection::default();
        let none = std::iter::empty::<PathBuf>();
        let folders = Search::new_globals(none, &mut Vec::new(), &mut collection);
        let mut this = Self {
            folders: folders.map_err(|source| broken(FILE.into(), source))?,
            own: Search::default(),
            collection,
            case: if fold { Case::Fold } else { Case::Sensitive },
            filters: false,
            conversions: false,
            left_out: Arc::default(),
        };
        if config.boolean("core.sparseCheckout").unwrap_or(false) {
            this.left_out = Arc::new(stored(repository, index)?);
        }
        let global = repository.inner.attribute_global_paths();
        let global = global
            .map_err(|source| GitError::BrokenAttributes { path: FILE.into(), source: source.into() })?;
        for path in global {
            if let Some(text) = read(&path)? {
                let list =
                    this.folders.add_patterns_buffer(&text, path.clone(), None, &mut this.collection, true);
                list.map_err(|source| GitError::unreadable(path, source))?;
                this.note(&text);
            }
        }
        let path = repository.inner.common_dir().join("info/attributes");
        if let Some(text) = read(&path)? {
            let list = this.own.add_patterns_buffer(&text, path.clone(), None, &mut this.collection, true);
            list.map_err(|source| GitError::unreadable(path, source))?;
            this.note(&text);
        }
        Ok(Arc::new(this))
    }

    /// The attributes that apply in `folder` of the repository, where `self` applies in the folder above and `text` is
    /// the text of the attribute file in `folder`. None where `folder` has no attribute file.
    pub(super) fn inside(&self, folder: &BStr, text: Option<&[u8]>) -> Result<Option<Arc<Self>>, GitError> {
        let file = || join(folder, FILE.into());
        let left_out = || self.left_out.get(&file()).map(Vec::as_slice);
        let Some(text) = text.or_else(|| (!self.left_out.is_empty()).then(left_out)?) else {
            return Ok(None);
        };
        let mut this = self.clone();
        let (path, base) = (file().to_path_lossy().into_owned(), Some(Path::new("")));
        let list =
            this.folders.add_patterns_buffer(text, path, base, &mut this.collection, folder.is_empty());
        list.map_err(|source| broken(file(), source))?;
        this.note(text);
        Ok(Some(Arc::new(this)))
    }

    /// Notes the kinds of attributes that the text of an attribute file can name.
    fn note(&mut self, text: &[u8]) {
        self.filters |= text.contains_str(FILTER);
        self.conversions |= CONVERSIONS.iter().any(|name| text.contains_str(name));
    }

    /// True if git may store other bytes of the file at `path` of the repository than the disk has, line endings
    /// aside.
    pub(super) fn converts(&self, path: &BStr) -> bool {
        if !self.conversions {
            return false;
        }
        let mut outcome = Outcome::default();
        outcome.initialize_with_selection(&self.collection, CONVERSIONS);
        converts([&self.own, &self.folders], path, self.case, &mut outcome)
    }

    /// The lookup of files that Git LFS keeps; none where no attribute of the folder names a filter.
    pub(super) fn lfs(&self) -> Option<LfsFiles<'_>> {
        self.filters.then(|| LfsFiles { attributes: self, outcome: Outcome::default() })
    }
}

/// The lookup of files that Git LFS keeps.
pub(super) struct LfsFiles<'a> {
    attributes: &'a FolderAttributes,
    outcome: Outcome,
}

impl LfsFiles<'_> {
    /// True if Git LFS keeps the file at `path` of the repository.
    pub(super) fn keeps(&mut self, path: &BStr) -> bool {
        let FolderAttributes { folders, own, collection, case, .. } = self.attributes;
        self.outcome.initialize_with_selection(collection, [FILTER]);
        filter([own, folders], path, *case, &mut self.outcome).is_some_and(|name| name == lfs::FILTER)
    }
}

/// The attribute files in git's index; files that a partial clone lacks are left out.
fn stored(repository: &Repository, index: &LazyIndex) -> Result<HashMap<BString, Vec<u8>>, GitError> {
    let mut files = HashMap::new();
    for (path, id) in index.get()?.named(FILE) {
        let mut buffer = Vec::new();
        match repository.objects().read(&id, gix::objs::Kind::Blob, path, &mut buffer) {
            Ok(text) => drop(files.insert(path.to_owned(), text.to_owned())),
            Err(GitError::MissingObject { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// The text of a file; none where there is no file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, GitError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(source) => Err(GitError::unreadable(path, source)),
    }
}

fn broken(path: BString, source: io::Error) -> GitError {
    GitError::BrokenAttributes { path, source: source.into() }
}
