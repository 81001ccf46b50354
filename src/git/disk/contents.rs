//! The bytes of a working tree's snapshot, verified while they are sent. Start with [`DiskContents`].

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::snapshot::{Contents, SnapshotEntry};
use dtbuild_content::tree::ContentId;

use super::content_id::Digester;

/// The files below a folder of the disk.
pub(super) struct DiskContents {
    root: PathBuf,
    hash: gix::hash::Kind,
    /// The paths of files that Git LFS keeps, whose content ids are blob ids of pointers.
    lfs: HashSet<BString>,
}

impl DiskContents {
    pub(super) fn new(root: PathBuf, hash: gix::hash::Kind, lfs: HashSet<BString>) -> Self {
        Self { root, hash, lfs }
    }
}

impl Contents for DiskContents {
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn Read + Send>> {
        let path = self.root.join(entry.path.to_path_lossy());
        // A pipe in the file's place would block for ever; any other change shows in the content id.
        let metadata = path.symlink_metadata().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => vanished(&entry.path),
            _ => error,
        })?;
        if !metadata.is_file() {
            return Err(changed(&entry.path));
        }
        let mut reader = VerifyingReader {
            file: File::open(path)?,
            path: entry.path.clone(),
            left: entry.size,
            expected: entry.id,
            digester: Some(Digester::new(self.hash, entry.size, self.lfs.contains(&entry.path))),
        };
        if entry.size == 0 {
            reader.finish()?;
        }
        Ok(Box::new(reader))
    }
}

/// Reads a file, and fails with the last byte if the content id is not the expected one.
struct VerifyingReader {
    file: File,
    path: BString,
    left: u64,
    expected: ContentId,
    /// The digester of the bytes that were read; none once the content is verified.
    digester: Option<Digester>,
}

impl VerifyingReader {
    /// Checks that the file ends here, and that its content id is the expected one.
    fn finish(&mut self) -> io::Result<()> {
        let Some(digester) = self.digester.take() else { return Ok(()) };
        let grown = self.file.read(&mut [0])? > 0;
        if grown || !digester.finish()?.contain(self.expected) { Err(changed(&self.path)) } else { Ok(()) }
    }
}

impl Read for VerifyingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let limit = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read(&mut buffer[..limit])?;
        let Some(digester) = self.digester.as_mut().filter(|_| count > 0) else {
            return Err(changed(&self.path));
        };
        digester.update(&buffer[..count]);
        self.left -= count as u64;
        if self.left == 0 {
            self.finish()?;
        }
        Ok(count)
    }
}

fn vanished(path: &BString) -> io::Error {
    io::Error::other(format!(
        "`{path}` vanished while it was being built; build again when nothing removes it"
    ))
}

fn changed(path: &BString) -> io::Error {
    io::Error::other(format!(
        "`{path}` changed while it was being built; build again when nothing writes to it"
    ))
}
