//! Documents in a folder: [`Folder`] keeps the record of an environment in the file `<project>/<environment>.json`, and
//! past deployments in the folder `<project>/_<environment>`.
//!
//! Links are not followed: neither a document nor a folder on the way to it below the storage's own is one. Every change happens under an advisory lock on the file `_lock`, held for milliseconds, and replaces a file as a
//! whole: readers need no lock.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dtbuild_content::draft::{Draft, folder_of};
use futures_util::future::BoxFuture;

use rustix::fs::OFlags;

use super::storage::{Address, Document, Part, Put, Revision, Storage};
use super::{RecordError, error};
use crate::config::EnvironmentName;

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

    fn path(&self, Address { project, environment, part }: &Address) -> PathBuf {
        match part {
            Part::Record => self.root.join(format!("{project}/{environment}.json")),
            Part::Past(generation) => {
                self.past_folder(project, environment).join(format!("{generation}.json"))
            }
            Part::Older => self.root.join(format!("{environment}.json")),
        }
    }

    fn past_folder(&self, project: &str, environment: &EnvironmentName) -> PathBuf {
        // No environment's name begins with `_`.
        self.root.join(format!("{project}/_{environment}"))
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

    /// Gives a document this content, if `read` is its stored revision.
    fn change(&self, address: &Address, content: &[u8], read: &Revision) -> Result<Put, RecordError> {
        self.make().map_err(|source| self.unwritable(source))?;
        let path = self.path(address);
        let _lock = self.lock()?;
        let stored = self.read_file(&path, address.part.size_limit())?;
        if Revision::of(stored.as_deref()) != *read {
            return Ok(Put::Changed);
        }
        replace(&path, content)?;
        Ok(Put::Done(Revision::of(Some(content))))
    }

    /// The bytes of a file; none where there is no such file. A file of more than `limit` bytes is an error, as is a
    /// link in place of the file or of a folder below the storage's own.
    fn read_file(&self, path: &Path, limit: usize) -> Result<Option<Vec<u8>>, RecordError> {
        let failed = |source| file_error("read", path, source);
        let above = path.ancestors().skip(1).take_while(|above| *above != self.root);
        let is_link = |above: &Path| above.symlink_metadata().is_ok_and(|found| found.is_symlink());
        if let Some(folder) = above.into_iter().find(|above| is_link(above)) {
            let (folder, hint) = (folder.to_owned(), "make it a folder".to_owned());
            return Err(RecordError::Untrusted { folder, reason: "it is a link", hint });
        }
        // Without NONBLOCK, opening a named pipe waits for ever.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let file = match File::options().read(true).custom_flags(flags).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // Something else than a folder is at the folder's path.
            Err(source) if source.kind() == ErrorKind::NotADirectory => {
                return Err(RecordError::Unwritable { folder: self.root.clone(), source });
            }
            other => other.map_err(failed)?,
        };
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            let (place, reason) = (path.display().to_string(), "it is no file".to_owned());
            return Err(RecordError::Damaged { place, reason });
        }
        // The file's size spares the buffer from growing; no room is made for more bytes than are read.
        let size = file.metadata().map_or(0, |file| file.len()).min(limit as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > limit {
            return Err(error::too_large(path.display().to_string(), limit));
        }
        Ok(Some(bytes))
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
        let limit = address.part.size_limit();
        self.aside(move |folder| Ok(Document::of(folder.read_file(&folder.path(&address), limit)?)))
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        content: &'a [u8],
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        let (address, content, read) = (address.clone(), content.to_owned(), read.clone());
        self.aside(move |folder| folder.change(&address, &content, &read))
    }

    fn past<'a>(
        &'a self,
        project: &'a str,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<u64>, RecordError>> {
        let path = self.past_folder(project, environment);
        self.aside(move |_| generations(&path))
    }

    fn place(&self, address: &Address) -> String {
        self.path(address).display().to_string()
    }

    fn on_this_thread(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(Self { on_this_thread: true, ..self.clone() }))
    }
}

/// The generations of the past deployments in a folder.
fn generations(folder: &Path) -> Result<Vec<u64>, RecordError> {
    let failed = |source| file_error("list", folder, source);
    let files = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut generations = Vec::new();
    for file in files {
        let name = file.map_err(failed)?.file_name();
        let generation: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
        generations.extend(generation);
    }
    Ok(generations)
}

/// Replaces a file as a whole, durably: the bytes and then the name are on the disk before this returns.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let replaced = || {
        let folder = folder_of(path);
        std::fs::create_dir_all(folder)?;
        let mut draft = Draft::private(folder)?;
        draft.write_all(bytes)?;
        draft.keep_durably(path)?;
        // The folder itself may be new.
        File::open(folder_of(folder))?.sync_all()
    };
    replaced().map_err(|source| file_error("write", path, source))
}

fn file_error(verb: &str, path: &Path, source: std::io::Error) -> RecordError {
    RecordError::File { action: format!("{verb} `{}`", path.display()), source }
}
