//! One folder of the disk: its files and folders at the time when it was read. Start with [`Folder::read`].

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

use super::attributes::FolderAttributes;
use super::folders::DiskFolders;
use super::system;
use crate::git::GitError;
use crate::git::attributes;
use crate::git::path::join;

/// The name of the git folder, or of the file that names it, in a work tree.
const REPOSITORY: &str = ".git";

/// The files and folders in a folder, without `.git` and sockets.
pub(super) struct Folder {
    /// The files and links, sorted by name.
    pub(super) files: Vec<File>,
    /// The names of the files, one after the other, in one allocation.
    text: Vec<u8>,
    /// The names of the folders in the folder, sorted.
    pub(super) folders: Vec<BString>,
    /// True if there is a `.git` in the folder.
    pub(super) is_repository: bool,
    /// The attributes that apply in the folder.
    pub(super) attributes: Arc<FolderAttributes>,
}

/// A file or link in a [`Folder`].
pub(super) struct File {
    /// The range of the file's name in [`Folder::text`].
    name: Range<usize>,
    pub(super) kind: Kind,
    pub(super) stat: Stat,
    /// The form of the content whose id is `id`: the file's bytes, or the pointer of Git LFS.
    pub(super) form: Form,
    /// The content id; empty until it is known.
    pub(super) id: OnceLock<ContentId>,
    /// The kind of a file that no build can be sent, such as `a named pipe`; none for other files.
    pub(super) special: Option<&'static str>,
}

impl Folder {
    /// Reads the folder at `path` of `disk`; the attributes `above` apply in the folder that holds this folder.
    pub(super) fn read(
        disk: &DiskFolders,
        path: &BStr,
        above: &Arc<FolderAttributes>,
    ) -> Result<Self, GitError> {
        let failed = |source: io::Error| match Errno::from_io_error(&source) {
            Some(Errno::NOTDIR | Errno::LOOP) => GitError::Changed { path: disk.shown(path) },
            _ => GitError::Unreadable { path: disk.disk_path(path), source },
        };
        let (place, path) = (disk.place(path), if path.is_empty() { BStr::new(".") } else { path });
        let handle = system::open(&disk.handle, path.as_bytes(), OFlags::DIRECTORY);
        let handle = handle.map_err(io::Error::from).map_err(failed)?;
        // A change of the folder or its files from here on shows in their times.
        let taken = stat::now();
        let notes = disk.stats.folder(place.as_bstr());
        let names = Names::read(disk, &handle, &notes, (place.as_bstr(), taken)).map_err(failed)?;
        let text = names.attributes(&handle).map_err(failed)?;
        let own = above.inside(place.as_bstr(), text.as_deref())?;
        let attributes = own.unwrap_or_else(|| Arc::clone(above));
        let Names { text, files: found, folders, is_repository } = names;
        let files = Vec::with_capacity(found.len());
        let mut folder = Self { files, text, folders, is_repository, attributes };
        for name in found {
            match system::look(&handle, &folder.text[name.clone()], taken) {
                Ok(stat) => folder.push(name, stat),
                Err(error) if system::is_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        folder.folders.sort_unstable();
        folder.identify(disk, place.as_bstr(), notes)?;
        Ok(folder)
    }

    /// The index of the file `name` in [`Folder::files`].
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
        let (form, id, special) = (Form::Bytes, OnceLock::new(), system::special(file_type));
        self.files.push(File { name, kind, stat, form, id, special });
    }

    /// Sets kind, form and known content id of the files; `place` is the folder's path in the repository.
    fn identify(
        &mut self,
        disk: &DiskFolders,
        place: &BStr,
        mut notes: FolderNotes<'_>,
    ) -> Result<(), GitError> {
        let attributes = Arc::clone(&self.attributes);
        let mut lfs = attributes.lfs();
        for file in &mut self.files {
            let name = self.text[file.name.clone()].as_bstr();
            let path = || join(place, name);
            if !disk.executable_bit && file.kind != Kind::Symlink {
                let executable = disk.index.get()?.is_executable(path().as_bstr());
                file.kind = if executable { Kind::Executable } else { Kind::File };
            }
            if let Some(lfs) = lfs.as_mut().filter(|_| file.kind != Kind::Symlink)
                && lfs.keeps(path().as_bstr())
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

/// The names of the files and folders in a folder, without sockets.
#[derive(Default)]
struct Names {
    /// The names of the files, one after the other.
    text: Vec<u8>,
    /// The ranges of the names in `text`, sorted by name.
    files: Vec<Range<usize>>,
    folders: Vec<BString>,
    is_repository: bool,
}

impl Names {
    /// The names in the folder that is open as `handle`: from `notes` if the folder did not change since they were
    /// taken, else from the disk.
    fn read(
        disk: &DiskFolders,
        handle: &OwnedFd,
        notes: &FolderNotes<'_>,
        (place, taken): (&BStr, i64),
    ) -> io::Result<Self> {
        let found = rustix::fs::fstat(handle)?;
        let stat = system::as_noted(&found, taken);
        let can_be_told = disk.device == Some(found.st_dev);
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
            disk.stats.record_names(place, stat, files.chain(folders).chain(repository));
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

    /// The text of the folder's attribute file; none where there is no attribute file, or a link in its place, as with
    /// git.
    fn attributes(&self, folder: &OwnedFd) -> io::Result<Option<Vec<u8>>> {
        let name = attributes::FILE.as_bytes();
        if self.files.binary_search_by(|found| self.text[found.clone()].cmp(name)).is_err() {
            return Ok(None);
        }
        let file = match system::open(folder, name, OFlags::empty()) {
            Ok(file) => fs::File::from(file),
            Err(Errno::LOOP | Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        (&file).read_to_end(&mut text)?;
        Ok(Some(text))
    }
}
