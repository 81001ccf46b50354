//! One folder of the disk, as it was found. Start with [`Folder::read`].

use std::fs;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::stat::{self, FolderNotes, Form, Stat};
use dtbuild_content::tree::{ContentId, Kind};
use rustix::fs::{Dir, FileType, OFlags};
use rustix::io::Errno;

use super::GitError;
use super::attributes;
use super::diff::join;
use super::disk;
use super::listing::Listing;
use super::tracking::Tracking;

/// The name of a repository in its work tree.
const REPOSITORY: &str = ".git";

/// What is in a folder, but for `.git` and sockets.
pub(super) struct Folder {
    /// Sorted by name.
    pub(super) files: Vec<File>,
    /// The names of the files, one after the other: there are many.
    text: Vec<u8>,
    /// The names of the folders in it, sorted.
    pub(super) folders: Vec<BString>,
    /// Whether there is a `.git` in it.
    pub(super) is_repository: bool,
    /// The attributes that apply in it.
    pub(super) tracking: Arc<Tracking>,
}

/// A file or link.
pub(super) struct File {
    /// Where its name is among those of the folder.
    name: Range<usize>,
    pub(super) kind: Kind,
    pub(super) stat: Stat,
    /// What its content id is of.
    pub(super) form: Form,
    /// Once it is known.
    pub(super) id: OnceLock<ContentId>,
    /// Why no build can be sent this.
    pub(super) special: Option<&'static str>,
}

impl Folder {
    /// Reads the folder at `path` of `listing`, in a folder where the attributes `above` apply.
    pub(super) fn read(listing: &Listing, path: &BStr, above: &Arc<Tracking>) -> Result<Self, GitError> {
        let failed = |source: io::Error| match Errno::from_io_error(&source) {
            Some(Errno::NOTDIR | Errno::LOOP) => GitError::Changed { path: listing.shown(path) },
            _ => GitError::Unreadable { path: listing.disk_path(path), source },
        };
        let (place, path) = (listing.place(path), if path.is_empty() { BStr::new(".") } else { path });
        let handle = disk::open(&listing.handle, path.as_bytes(), OFlags::DIRECTORY);
        let handle = handle.map_err(io::Error::from).map_err(failed)?;
        // What happens to the folder and its files from here on is seen by their times.
        let taken = stat::now();
        let notes = listing.stats.folder(place.as_bstr());
        let names = Names::read(listing, &handle, &notes, (place.as_bstr(), taken)).map_err(failed)?;
        let attributes = names.attributes(&handle).map_err(failed)?;
        let own = above.inside(place.as_bstr(), attributes.as_deref())?;
        let tracking = own.unwrap_or_else(|| Arc::clone(above));
        let Names { text, files: found, folders, is_repository } = names;
        let files = Vec::with_capacity(found.len());
        let mut folder = Self { files, text, folders, is_repository, tracking };
        for name in found {
            match disk::look(&handle, &folder.text[name.clone()], taken) {
                Ok(stat) => folder.push(name, stat),
                Err(error) if disk::is_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        folder.folders.sort_unstable();
        folder.identify(listing, place.as_bstr(), notes)?;
        Ok(folder)
    }

    /// Which of the files is called `name`.
    pub(super) fn find(&self, name: &BStr) -> Option<usize> {
        self.files.binary_search_by(|file| self.name(file).cmp(name)).ok()
    }

    /// The name of one of the files.
    pub(super) fn name(&self, file: &File) -> &BStr {
        self.text[file.name.clone()].as_bstr()
    }

    fn push(&mut self, name: Range<usize>, stat: Stat) {
        let file_type = FileType::from_raw_mode(stat.mode);
        let kind = match file_type {
            FileType::Socket => return,
            FileType::Directory => return self.folders.push(self.text[name].into()),
            FileType::Symlink => Kind::Symlink,
            _ if stat.is_executable() => Kind::Executable,
            _ => Kind::File,
        };
        let (form, id, special) = (Form::Bytes, OnceLock::new(), disk::special(file_type));
        self.files.push(File { name, kind, stat, form, id, special });
    }

    /// Finds out what is known of the files; the folder's path in the repository is `place`.
    fn identify(
        &mut self,
        listing: &Listing,
        place: &BStr,
        mut notes: FolderNotes<'_>,
    ) -> Result<(), GitError> {
        let tracking = Arc::clone(&self.tracking);
        let mut tracker = tracking.tracker();
        for file in &mut self.files {
            let name = self.text[file.name.clone()].as_bstr();
            let path = || join(place, name);
            if !listing.executable_bit && file.kind != Kind::Symlink {
                let executable = listing.index.get()?.is_executable(path().as_bstr());
                file.kind = if executable { Kind::Executable } else { Kind::File };
            }
            if let Some(tracker) = tracker.as_mut().filter(|_| file.kind != Kind::Symlink)
                && tracker.keeps(path().as_bstr())
            {
                file.form = Form::Pointer;
            }
            if let Some(id) = notes.lookup(name, file.form, &file.stat) {
                file.id = id.into();
            }
        }
        Ok(())
    }
}

/// The names in a folder, sockets left out.
#[derive(Default)]
struct Names {
    /// Those of all that is no folder.
    text: Vec<u8>,
    /// Where each of them is, sorted by them.
    files: Vec<Range<usize>>,
    folders: Vec<BString>,
    is_repository: bool,
}

impl Names {
    /// Reads the names in the folder that is open as `handle`, unless it is as it was when they were noted.
    fn read(
        listing: &Listing,
        handle: &OwnedFd,
        notes: &FolderNotes<'_>,
        (place, taken): (&BStr, i64),
    ) -> io::Result<Self> {
        let found = rustix::fs::fstat(handle)?;
        let stat = disk::as_noted(&found, taken);
        let can_be_told = listing.device == Some(found.st_dev);
        let mut names = Self::default();
        if let Some(known) = notes.names(&stat).filter(|_| can_be_told) {
            for (name, is_folder) in known {
                names.push(name, is_folder);
            }
            return Ok(names);
        }
        for entry in Dir::read_from(handle)? {
            let entry = entry?;
            let (name, file_type) = (entry.file_name().to_bytes().as_bstr(), entry.file_type());
            if name != "." && name != ".." && file_type != FileType::Socket {
                names.push(name, file_type == FileType::Directory);
            }
        }
        names.files.sort_unstable_by(|left, right| names.text[left.clone()].cmp(&names.text[right.clone()]));
        if can_be_told {
            let repository = names.is_repository.then_some((BStr::new(REPOSITORY), true));
            let files = names.files.iter().map(|name| (names.text[name.clone()].as_bstr(), false));
            let folders = names.folders.iter().map(|name| (name.as_bstr(), true));
            listing.stats.record_names(place, stat, files.chain(folders).chain(repository));
        }
        Ok(names)
    }

    fn push(&mut self, name: &BStr, is_folder: bool) {
        if name == REPOSITORY {
            self.is_repository = true;
        } else if is_folder {
            self.folders.push(name.to_owned());
        } else {
            let start = self.text.len();
            self.text.extend_from_slice(name);
            self.files.push(start..self.text.len());
        }
    }

    /// The text of the attribute file among them. A link in its place does not count, as with git.
    fn attributes(&self, folder: &OwnedFd) -> io::Result<Option<Vec<u8>>> {
        let name = attributes::FILE.as_bytes();
        if self.files.binary_search_by(|found| self.text[found.clone()].cmp(name)).is_err() {
            return Ok(None);
        }
        let file = match disk::open(folder, name, OFlags::empty()) {
            Ok(file) => fs::File::from(file),
            Err(Errno::LOOP | Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        (&file).read_to_end(&mut text)?;
        Ok(Some(text))
    }
}
