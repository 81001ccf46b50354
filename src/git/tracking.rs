//! Which files of the working tree Git LFS keeps, as `.gitattributes` say. Start with [`Tracking`].
//!
//! Of other attributes that change files on checkout it is known whether a file has any: an id is that of the bytes on the
//! disk.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use gix::attrs::Search;
use gix::attrs::search::{MetadataCollection, Outcome};
use gix::glob::pattern::Case;

use super::attributes::{CONVERSIONS, FILE, FILTER, converts, filter};
use super::diff::join;
use super::disk::is_missing;
use super::index::LazyIndex;
use super::{GitError, Repository, lfs};

/// The attributes that apply in a folder.
#[derive(Clone)]
pub(super) struct Tracking {
    /// Those of the machine, then those of the folders from the root on.
    folders: Search,
    /// Those of the repository itself, which have the last word.
    own: Search,
    collection: MetadataCollection,
    case: Case,
    /// Whether a filter is named at all. Where none is, no file need be asked about.
    filters: bool,
    /// The same of all that changes files.
    conversions: bool,
    /// What git has of the files that a sparse checkout leaves out, by path.
    left_out: Arc<HashMap<BString, Vec<u8>>>,
}

impl Repository {
    /// The attributes that apply in `folder` of the working tree, but for those that the folder itself has.
    pub(super) fn tracking_above(&self, folder: &BStr, index: &LazyIndex) -> Result<Arc<Tracking>, GitError> {
        let Some(parent) = (!folder.is_empty()).then(|| folder.rfind_byte(b'/').unwrap_or(0)) else {
            return self.shared.tracking(BStr::new("/"), || Tracking::of_machine(self, index));
        };
        let parent = folder[..parent].as_bstr();
        let above = self.tracking_above(parent, index)?;
        self.shared.tracking(parent, || {
            let file = self.root()?.join(parent.to_path_lossy()).join(FILE);
            // Git does not follow a link in its place.
            let is_there = file.symlink_metadata().is_ok_and(|found| found.is_file());
            let text = is_there.then(|| fs::read(&file)).transpose();
            let text = text.map_err(|source| broken(join(parent, FILE.into()), source))?;
            above.inside(parent, text.as_deref()).map(|own| own.unwrap_or_else(|| above.clone()))
        })
    }
}

impl Tracking {
    /// The attributes that apply in all of a repository.
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

    /// The attributes that apply in `folder`, a path of the repository, which is in a folder where these do; `text` is
    /// that of its own file. None if they are the same.
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

    /// Takes note of what a file of attributes can name.
    fn note(&mut self, text: &[u8]) {
        self.filters |= text.contains_str(FILTER);
        self.conversions |= CONVERSIONS.iter().any(|name| text.contains_str(name));
    }

    /// Whether an attribute says that git may store other bytes of the file at `path` of the repository than the disk has,
    /// line endings aside.
    pub(super) fn converts(&self, path: &BStr) -> bool {
        if !self.conversions {
            return false;
        }
        let mut outcome = Outcome::default();
        outcome.initialize_with_selection(&self.collection, CONVERSIONS);
        converts([&self.own, &self.folders], path, self.case, &mut outcome)
    }

    /// What answers for the files in a folder. None where Git LFS keeps none of them.
    pub(super) fn tracker(&self) -> Option<Tracker<'_>> {
        self.filters.then(|| Tracker { tracking: self, outcome: Outcome::default() })
    }
}

/// Answers for the files in a folder.
pub(super) struct Tracker<'a> {
    tracking: &'a Tracking,
    outcome: Outcome,
}

impl Tracker<'_> {
    /// Whether Git LFS keeps the file at `path` of the repository.
    pub(super) fn keeps(&mut self, path: &BStr) -> bool {
        let Tracking { folders, own, collection, case, .. } = self.tracking;
        self.outcome.initialize_with_selection(collection, [FILTER]);
        filter([own, folders], path, *case, &mut self.outcome).is_some_and(|name| name == lfs::FILTER)
    }
}

/// The attribute files that git's index has. Those that a partial clone lacks say nothing.
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

/// The text of a file that need not be there.
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
