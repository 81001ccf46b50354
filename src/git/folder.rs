//! One folder of the disk, as it was found. Start with [`Folder::read`].

use std::ffi::CString;
use std::fs;
use std::io::{self, Read as _};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::stat::{self, Form, Stat};
use dtbuild_cache::tree::{ContentId, Kind};
use rustix::fs::{Dir, FileType, OFlags};
use rustix::io::Errno;

use super::GitError;
use super::attributes;
use super::diff::join;
use super::disk;
use super::listing::Listing;
use super::tracking::Tracking;

/// What is in a folder, but for `.git` and sockets.
pub(super) struct Folder {
    /// Sorted by name.
    pub(super) files: Vec<File>,
    /// The names of the folders in it, sorted.
    pub(super) folders: Vec<BString>,
    /// Whether there is a `.git` in it.
    pub(super) is_repository: bool,
    /// The attributes that apply in it.
    pub(super) tracking: Arc<Tracking>,
}

/// A file or link.
pub(super) struct File {
    pub(super) name: BString,
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
        let path = if path.is_empty() { BStr::new(".") } else { path };
        let handle = disk::open(&listing.handle, path.as_bytes(), OFlags::DIRECTORY);
        let mut entries = handle.and_then(Dir::new).map_err(io::Error::from).map_err(failed)?;
        // What happens to a file from here on is seen by its times.
        let taken = stat::now();
        let (mut names, mut folders, mut is_repository) = (Vec::new(), Vec::new(), false);
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(io::Error::from).map_err(failed)?;
            match (entry.file_name().to_bytes(), entry.file_type()) {
                (b"." | b"..", _) => {}
                (b".git", _) => is_repository = true,
                (name, FileType::Directory) => folders.push(BString::from(name)),
                (_, FileType::Socket) => {}
                _ => names.push(entry.file_name().to_owned()),
            }
        }
        names.sort_unstable();
        let handle = entries.fd().map_err(io::Error::from).map_err(failed)?;
        let place = listing.place(if path == "." { BStr::new("") } else { path });
        let text = attributes_in(handle, &names).map_err(failed)?;
        let own = above.inside(place.as_bstr(), text.as_deref())?;
        let tracking = own.unwrap_or_else(|| Arc::clone(above));
        let mut folder = Self { files: Vec::with_capacity(names.len()), folders, is_repository, tracking };
        for name in names {
            match disk::look(handle, &name, taken) {
                Ok(stat) => folder.push(name, stat),
                Err(error) if disk::is_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        folder.folders.sort_unstable();
        folder.identify(listing, place.as_bstr())?;
        Ok(folder)
    }

    /// The file or link `name`.
    pub(super) fn file(&self, name: &BStr) -> Option<&File> {
        let found = self.files.binary_search_by(|file| file.name.as_bstr().cmp(name)).ok()?;
        self.files.get(found)
    }

    fn push(&mut self, name: CString, stat: Stat) {
        let name = BString::from(name.into_bytes());
        let file_type = FileType::from_raw_mode(stat.mode);
        let kind = match file_type {
            FileType::Socket => return,
            FileType::Directory => return self.folders.push(name),
            FileType::Symlink => Kind::Symlink,
            _ if stat.is_executable() => Kind::Executable,
            _ => Kind::File,
        };
        let (form, id, special) = (Form::Bytes, OnceLock::new(), disk::special(file_type));
        self.files.push(File { name, kind, stat, form, id, special });
    }

    /// Finds out what is known of the files; the folder's path in the repository is `place`.
    fn identify(&mut self, listing: &Listing, place: &BStr) -> Result<(), GitError> {
        let tracking = Arc::clone(&self.tracking);
        let (mut tracker, mut notes) = (tracking.tracker(), listing.stats.folder(place));
        for file in &mut self.files {
            let path = || join(place, file.name.as_bstr());
            if !listing.executable_bit && file.kind != Kind::Symlink {
                let executable = listing.index.get()?.is_executable(path().as_bstr());
                file.kind = if executable { Kind::Executable } else { Kind::File };
            }
            if let Some(tracker) = tracker.as_mut().filter(|_| file.kind != Kind::Symlink)
                && tracker.keeps(path().as_bstr())
            {
                file.form = Form::Pointer;
            }
            if let Some(id) = notes.lookup(file.name.as_bstr(), file.form, &file.stat) {
                file.id = id.into();
            }
        }
        Ok(())
    }
}

/// The text of the attribute file among `names`, which are sorted. A link in its place does not count, as with git.
fn attributes_in(folder: BorrowedFd<'_>, names: &[CString]) -> io::Result<Option<Vec<u8>>> {
    let name = attributes::FILE.as_bytes();
    if names.binary_search_by(|found| found.as_bytes().cmp(name)).is_err() {
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
