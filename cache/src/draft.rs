//! Files that are replaced as a whole: a reader sees the old bytes or the new ones, never a part. Start with [`replace`];
//! [`Draft`] is for bytes that come piece by piece.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// A temporary file that is not at its final path yet. A draft that is dropped is removed.
#[derive(Debug)]
pub struct Draft(NamedTempFile);

impl Draft {
    /// A draft in `folder` that only its owner may read or write.
    ///
    /// # Errors
    /// Fails if the folder is missing, or no file can be made in it.
    pub fn private(folder: &Path) -> io::Result<Self> {
        Self::new(folder, 0o600)
    }

    /// A draft in `folder` with the permissions of any file that the user makes there: the process's umask applies.
    ///
    /// # Errors
    /// Fails if the folder is missing, or no file can be made in it.
    pub fn shared(folder: &Path) -> io::Result<Self> {
        Self::new(folder, 0o666)
    }

    fn new(folder: &Path, mode: u32) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".dtbuild-").permissions(Permissions::from_mode(mode)).tempfile_in(folder).map(Self)
    }

    /// The open file, to be written to.
    #[must_use]
    pub fn file(&self) -> &File {
        self.0.as_file()
    }

    /// Moves the draft to `path`, in place of a file that is there. `path` must be in the draft's file
    /// system.
    ///
    /// # Errors
    /// Fails if the draft cannot be moved to `path`; the file that is at `path` then stays.
    pub fn keep(self, path: &Path) -> io::Result<()> {
        self.0.persist(path).map(drop).map_err(|error| error.error)
    }

    /// [`keep`](Self::keep), which returns only after the bytes and then the name are on the disk, so that
    /// the file outlasts a loss of power.
    ///
    /// # Errors
    /// Fails if the draft cannot be moved to `path`, or if the disk does not confirm the file or its name.
    pub fn keep_durably(self, path: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        self.keep(path)?;
        File::open(folder_of(path))?.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes `pieces`, one after the other, to a file at `path` that only its owner may read or write, in place
/// of a file that is there. The folder of `path` is made if it is missing.
///
/// # Errors
/// Fails if the file cannot be written; the file that is at `path` then stays.
pub fn replace(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let draft = Draft::private(folder)?;
    let mut out = io::BufWriter::with_capacity(1 << 16, draft.file());
    pieces.iter().try_for_each(|piece| out.write_all(piece))?;
    out.flush()?;
    drop(out);
    draft.keep(path)
}

/// The folder that holds `path`; `.` for a path that is a name alone.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_its_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/file");
        for pieces in [&[&b"one"[..]][..], &[b"t", b"", b"wo"], &[]] {
            replace(&path, pieces).unwrap();
            assert_eq!(fs::read(&path).unwrap(), pieces.concat());
        }
        assert_eq!(names(path.parent().unwrap()), ["file"], "no draft is left");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "before").unwrap();
        Draft::private(folder.path()).unwrap().write_all(b"after").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), names(folder.path())),
            (b"before".to_vec(), vec!["file".to_owned()])
        );
    }

    #[test]
    fn a_shared_draft_has_the_permissions_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        let mut draft = Draft::shared(folder.path()).unwrap();
        draft.write_all(b"bytes").unwrap();
        draft.keep_durably(&path).unwrap();
        fs::write(&other, "bytes").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (mode(&other), b"bytes".to_vec()));
    }

    #[test]
    fn a_path_without_a_folder_is_in_this_one() {
        for (path, folder) in [("file", "."), ("a/file", "a"), ("/file", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder));
        }
    }
}
