//! Documents in a folder: [`Folder`] keeps each document in a file `<name>.json`.
//!
//! Every change happens under an advisory lock on the file `_lock`, held for milliseconds, and replaces a file as a
//! whole: readers need no lock.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dtbuild_content::draft::Draft;
use futures_util::future::BoxFuture;

use super::storage::{Address, Change, Document, Put, Revision, Storage};
use super::{RecordError, error};

/// The longest time to wait for the lock of another process, which may be on a slow network disk.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// A storage in a folder of this machine, or of a disk that several machines share.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// True if files are read and written on the calling thread, false if on a thread that may block.
    on_this_thread: bool,
}

impl Folder {
    /// The storage in a folder. The folder is made when the first document is written.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, on_this_thread: false }
    }

    fn path(&self, address: &Address) -> PathBuf {
        self.root.join(format!("{}.json", address.name()))
    }

    fn make(&self) -> std::io::Result<()> {
        if !self.root.exists() {
            std::fs::create_dir_all(&self.root)?;
            // The records of one machine do not belong in the repository.
            std::fs::write(self.root.join(".gitignore"), "*\n")?;
        }
        Ok(())
    }

    fn try_writing(&self) -> Result<(), RecordError> {
        let attempt = || {
            self.make()?;
            // Mode bits are no proof: they do not bind root, and do not show that a disk is read-only.
            Draft::private(&self.root)?.write_all(b"writable")
        };
        attempt().map_err(|source| self.unwritable(source))
    }

    fn unwritable(&self, source: std::io::Error) -> RecordError {
        RecordError::Unwritable { folder: self.root.clone(), source }
    }

    /// Gives a document this content, or removes it, if `read` is its stored revision.
    fn change(&self, address: &Address, content: Option<&[u8]>, read: &Revision) -> Result<Put, RecordError> {
        self.make().map_err(|source| self.unwritable(source))?;
        let path = self.path(address);
        let _lock = self.lock()?;
        let stored = read_file(&path, address.size_limit())?;
        if Revision::of(stored.as_deref()) != *read {
            return Ok(Put::Changed);
        }
        match content {
            Some(content) => self.replace(&path, content)?,
            None if stored.is_none() => {}
            None => std::fs::remove_file(&path).map_err(|source| file_error("remove", &path, source))?,
        }
        Ok(Put::Done(Revision::of(content)))
    }

    fn names(&self) -> Result<Vec<String>, RecordError> {
        let failed = |source| file_error("list", &self.root, source);
        let files = match std::fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for file in files {
            let name = file.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(ToOwned::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Replaces a file as a whole, durably: the bytes and then the name are on the disk before this returns.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
        let replaced = || {
            let mut draft = Draft::private(&self.root)?;
            draft.write_all(bytes)?;
            draft.keep_durably(path)
        };
        replaced().map_err(|source| file_error("write", path, source))
    }

    /// The lock on changes. The lock ends when the file is closed, also when the process is killed.
    fn lock(&self) -> Result<File, RecordError> {
        let path = self.root.join("_lock");
        let failed = |source| file_error("lock", &path, source);
        let open = File::options().create(true).append(true).open(&path);
        let file = open.map_err(|source| self.unwritable(source))?;
        let patience = Instant::now() + LOCK_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(failed(ErrorKind::TimedOut.into())),
            }
        }
    }

    /// Does work that waits for the disk on a thread that may block, or on this thread if the storage says so.
    fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RecordError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, RecordError>> {
        let (folder, root) = (self.clone(), self.root.clone());
        Box::pin(async move {
            if folder.on_this_thread {
                return work(&folder);
            }
            let done = tokio::task::spawn_blocking(move || work(&folder)).await;
            done.unwrap_or_else(|error| Err(file_error("use", &root, std::io::Error::other(error))))
        })
    }
}

impl Storage for Folder {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        self.aside(Self::try_writing)
    }

    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>> {
        let address = address.clone();
        self.aside(move |folder| Ok(Document::of(read_file(&folder.path(&address), address.size_limit())?)))
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        change: Change<'a>,
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        let (address, read) = (address.clone(), read.clone());
        let content = match change {
            Change::Write(content) => Some(content.to_owned()),
            Change::Remove { .. } => None,
        };
        self.aside(move |folder| folder.change(&address, content.as_deref(), &read))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, RecordError>> {
        self.aside(Self::names)
    }

    fn place(&self, address: &Address) -> String {
        self.path(address).display().to_string()
    }

    fn on_this_thread(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(Self { on_this_thread: true, ..self.clone() }))
    }
}

/// The bytes of a file; none where there is no such file. A file of more than `limit` bytes is an error.
fn read_file(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, RecordError> {
    let failed = |source| file_error("read", path, source);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // Something else than a folder is at the folder's path.
        Err(source) if source.kind() == ErrorKind::NotADirectory => {
            let folder = path.parent().unwrap_or(path).to_owned();
            return Err(RecordError::Unwritable { folder, source });
        }
        other => other.map_err(failed)?,
    };
    // The file's size spares the buffer from growing; no room is made for more bytes than are read.
    let size = file.metadata().map_or(0, |file| file.len()).min(limit as u64);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(error::too_large(path.display().to_string(), limit));
    }
    Ok(Some(bytes))
}

fn file_error(verb: &str, path: &Path, source: std::io::Error) -> RecordError {
    RecordError::File { action: format!("{verb} `{}`", path.display()), source }
}
