//! A context as a tar archive, which is made while it is sent. Start with [`Archive::stream`].
//!
//! The archive holds the files that a BuildKit session would send: the snapshot with normalised modes, owner
//! 0:0 and times that are made from the contents. The Dockerfile is in the archive too, and no `COPY` sees
//! it.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, OnceLock};

use bstr::BStr;
use dtbuild_content::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_content::tree::Kind;
use futures_util::Stream;
use hyper::body::Bytes;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::engine::buildkit::modified;

/// The size of a chunk of the archive, in bytes.
const CHUNK: usize = 64 * 1024;
/// The number of chunks that may wait for the engine. They are all the memory that an archive needs, however
/// large the archive is.
const WAITING: usize = 8;
/// The longest text of a link that a tar header holds, in bytes.
const LINK_LIMIT: usize = 100;

/// A context and its Dockerfile, to be sent as an archive.
pub(super) struct Archive {
    snapshot: Snapshot,
    dockerfile: Arc<[u8]>,
    /// The path of the Dockerfile in the archive.
    pub(super) name: String,
}

/// The writing end of the archive's stream.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
}

/// The content of a file, which must have exactly the size that the file's header says.
struct Exactly<'a> {
    reader: Box<dyn Read + Send>,
    entry: &'a SnapshotEntry,
    left: u64,
}

impl Archive {
    /// An archive of `snapshot` and the bytes of its Dockerfile.
    pub(super) fn new(snapshot: Snapshot, dockerfile: Arc<[u8]>) -> Self {
        let taken = |name: &str| {
            ["", ".dockerignore", ".containerignore"]
                .iter()
                .any(|end| snapshot.get(BStr::new(&format!("{name}{end}"))).is_some())
        };
        let mut name = ".dtbuild.Dockerfile".to_owned();
        while taken(&name) {
            name.insert(1, '_');
        }
        Self { snapshot, dockerfile, name }
    }

    /// The archive's bytes. If the archive cannot be sent in full, the reason is left in `fault` and the
    /// stream breaks.
    pub(super) fn stream(
        self,
        fault: Arc<OnceLock<String>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (sender, receiver) = mpsc::channel(WAITING);
        // Contents come from git's objects and the disk, which are read with blocking calls.
        tokio::task::spawn_blocking(move || {
            let chunks = Chunks { sender: sender.clone(), waiting: Vec::with_capacity(CHUNK) };
            if let Err(error) = self.write(chunks) {
                // A reader that went away has its own reason.
                if error.kind() != io::ErrorKind::BrokenPipe {
                    let _ = fault.set(error.to_string());
                    let _ = sender.blocking_send(Err(error));
                }
            }
        });
        ReceiverStream::new(receiver)
    }

    fn write(&self, chunks: Chunks) -> io::Result<()> {
        let mut builder = Builder::new(chunks);
        // The engine looks for ignore rules beside the Dockerfile before it looks for the context's own
        // rules, which were applied already. The rules here keep the two files out of what is copied.
        let rules = format!("{0}\n{0}.dockerignore\n", self.name);
        let own = [
            (self.name.clone(), &*self.dockerfile),
            (format!("{}.dockerignore", self.name), rules.as_bytes()),
        ];
        for (name, bytes) in own {
            let mut header = header(EntryType::Regular, 0o644, bytes.len() as u64, 0);
            builder.append_data(&mut header, name, bytes)?;
        }
        for entry in self.snapshot.entries.iter() {
            self.entry(&mut builder, entry)?;
        }
        builder.into_inner()?.flush()
    }

    fn entry(&self, builder: &mut Builder<Chunks>, entry: &SnapshotEntry) -> io::Result<()> {
        let path = OsStr::from_bytes(&entry.path);
        let file = |mode| header(EntryType::Regular, mode, entry.size, modified(entry));
        match entry.kind {
            Kind::File | Kind::Executable => {
                let reader = self.snapshot.contents.open(entry).map_err(|error| unreadable(entry, &error))?;
                let mut header = file(if entry.kind == Kind::Executable { 0o755 } else { 0o644 });
                builder.append_data(&mut header, path, Exactly { reader, entry, left: entry.size })
            }
            Kind::Folder => {
                let mut header = header(EntryType::Directory, 0o755, 0, modified(entry));
                builder.append_data(&mut header, path, io::empty())
            }
            Kind::Symlink => {
                let text = entry
                    .link
                    .as_ref()
                    .ok_or_else(|| io::Error::other(format!("the link `{}` has no target", entry.path)))?;
                let mut header = header(EntryType::Symlink, 0o777, 0, modified(entry));
                link(builder, &mut header, text)?;
                builder.append_data(&mut header, path, io::empty())
            }
            Kind::Submodule => Err(io::Error::other(format!("`{}` is a submodule", entry.path))),
        }
    }
}

fn header(kind: EntryType, mode: u32, size: u64, nanoseconds: i64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(u64::try_from(nanoseconds / 1_000_000_000).unwrap_or_default());
    header
}

/// Sets the text of a link as it is; a text that is too long for the header goes into an entry before the
/// link's.
fn link(builder: &mut Builder<Chunks>, of: &mut Header, text: &[u8]) -> io::Result<()> {
    if text.len() <= LINK_LIMIT {
        return of.set_link_name_literal(text);
    }
    let mut long = header(EntryType::GNULongLink, 0o644, text.len() as u64 + 1, 0);
    long.set_path("@LongLink")?;
    long.set_cksum();
    builder.append(&long, text.chain(&[0_u8][..]))
}

fn unreadable(entry: &SnapshotEntry, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot read `{}`: {error}", entry.path))
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer).map_err(|error| unreadable(self.entry, &error))?;
        let (wanted, ended) = (self.left, read == 0 && !buffer.is_empty());
        self.left = wanted.saturating_sub(read as u64);
        if read as u64 > wanted || (ended && wanted > 0) {
            let SnapshotEntry { path, size, .. } = self.entry;
            return Err(io::Error::other(format!(
                "`{path}` changed while it was sent: expected {size} bytes"
            )));
        }
        Ok(read)
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.waiting, Vec::with_capacity(CHUNK));
        self.sender.blocking_send(Ok(chunk.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests;
