//! Records in a folder: `<environment>.json`, and `_lease.<environment>.json` beside it.
//!
//! No environment's name begins with `_`, so no record is taken for a lease. Every change happens under an
//! advisory lock on `_lock`, held for milliseconds, and replaces a file as a whole: readers need no lock.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::lease::{self, LeaseDocument};
use super::{Lease, Record, RecordError, Revision, Store, Stored, document};
use crate::config::EnvironmentName;

/// How long to wait for another process to finish its change: it may be one on a slow network disk.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// Records in a folder of this machine, or of a disk that several machines share.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The records in this folder, which is made when something is to be kept.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Reads an environment's record on this thread, without the deployments before the one that it runs.
    pub fn read_newest(&self, environment: &EnvironmentName) -> Result<Record, RecordError> {
        let path = self.record_path(environment);
        match read_file(&path, document::SIZE_LIMIT)? {
            None => Ok(Record::new(environment.clone())),
            Some(bytes) => Record::decode_newest(&bytes, environment, &path.display().to_string()),
        }
    }

    fn record_path(&self, environment: &EnvironmentName) -> PathBuf {
        self.root.join(format!("{environment}.json"))
    }

    fn lease_path(&self, environment: &EnvironmentName) -> PathBuf {
        self.root.join(format!("_lease.{environment}.json"))
    }

    fn try_writing(&self) -> Result<(), RecordError> {
        let attempt = || {
            if !self.root.exists() {
                std::fs::create_dir_all(&self.root)?;
                // What a machine keeps for itself is not for its repository.
                std::fs::write(self.root.join(".gitignore"), "*\n")?;
            }
            // Mode bits do not tell: root passes them by, and a read-only disk does not show in them.
            tempfile::NamedTempFile::new_in(&self.root)?.write_all(b"writable")
        };
        attempt().map_err(|source| RecordError::Unwritable { folder: self.root.clone(), source })
    }

    fn read_record(&self, environment: &EnvironmentName) -> Result<Stored, RecordError> {
        let path = self.record_path(environment);
        let bytes = read_file(&path, document::SIZE_LIMIT)?;
        let record = match &bytes {
            None => Record::new(environment.clone()),
            Some(bytes) => Record::decode(bytes, environment, &path.display().to_string())?,
        };
        Ok(Stored { record, revision: revision(bytes.as_deref()) })
    }

    fn write_record(
        &self,
        record: &Record,
        read: &Revision,
        ours: &LeaseDocument,
    ) -> Result<Revision, RecordError> {
        let path = self.record_path(record.environment());
        let place = path.display().to_string();
        let bytes = record.encode(&place)?;
        let _lock = self.lock()?;
        if !self.is_held(ours)? {
            return Err(RecordError::LeaseLost { environment: ours.environment.clone() });
        }
        if revision(read_file(&path, document::SIZE_LIMIT)?.as_deref()) != *read {
            return Err(RecordError::Conflict { place });
        }
        self.replace(&path, &bytes)?;
        Ok(revision(Some(&bytes)))
    }

    fn take_lease(&self, ours: &LeaseDocument) -> Result<(), RecordError> {
        self.try_writing()?;
        let _lock = self.lock()?;
        match self.stored_lease(&ours.environment)? {
            Some(theirs) if theirs.is_live() => Err(theirs.held()),
            _ => self.write_lease(ours),
        }
    }

    fn renew_lease(&self, ours: &LeaseDocument) -> Result<bool, RecordError> {
        let _lock = self.lock()?;
        let held = self.is_held(ours)?;
        if held {
            self.write_lease(ours)?;
        }
        Ok(held)
    }

    fn end_lease(&self, ours: &LeaseDocument) -> Result<(), RecordError> {
        let _lock = self.lock()?;
        if !self.is_held(ours)? {
            return Ok(());
        }
        let path = self.lease_path(&ours.environment);
        std::fs::remove_file(&path).map_err(|source| file_error("remove", &path, source))
    }

    fn is_held(&self, ours: &LeaseDocument) -> Result<bool, RecordError> {
        Ok(self.stored_lease(&ours.environment)?.is_some_and(|stored| stored.token == ours.token))
    }

    fn stored_lease(&self, environment: &EnvironmentName) -> Result<Option<LeaseDocument>, RecordError> {
        let path = self.lease_path(environment);
        let bytes = read_file(&path, lease::SIZE_LIMIT)?;
        bytes.map(|bytes| LeaseDocument::decode(&bytes, &path.display().to_string())).transpose()
    }

    fn write_lease(&self, ours: &LeaseDocument) -> Result<(), RecordError> {
        let path = self.lease_path(&ours.environment);
        self.replace(&path, &ours.encode(&path.display().to_string())?)
    }

    /// Replaces a file as a whole, and lasts: the bytes and then the name are on the disk before it returns.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
        let replaced = || {
            let mut draft = tempfile::NamedTempFile::new_in(&self.root)?;
            draft.write_all(bytes)?;
            draft.as_file().sync_all()?;
            draft.persist(path).map_err(|error| error.error)?;
            File::open(&self.root)?.sync_all()
        };
        replaced().map_err(|source| file_error("write", path, source))
    }

    /// The lock on changes; it ends with the file, also when the process is killed.
    fn lock(&self) -> Result<File, RecordError> {
        let path = self.root.join("_lock");
        let failed = |source| file_error("lock", &path, source);
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
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

    /// Does what blocks on a thread that may.
    fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RecordError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, RecordError>> {
        let (folder, root) = (self.clone(), self.root.clone());
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&folder)).await;
            done.unwrap_or_else(|error| Err(file_error("use", &root, std::io::Error::other(error))))
        })
    }
}

impl Store for Folder {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        self.aside(Self::try_writing)
    }

    fn read<'a>(&'a self, environment: &'a EnvironmentName) -> BoxFuture<'a, Result<Stored, RecordError>> {
        let environment = environment.clone();
        self.aside(move |folder| folder.read_record(&environment))
    }

    fn write<'a>(
        &'a self,
        record: &'a Record,
        revision: &'a Revision,
        lease: &'a Lease,
    ) -> BoxFuture<'a, Result<Revision, RecordError>> {
        let (record, revision, ours) = (record.clone(), revision.clone(), lease.document.clone());
        self.aside(move |folder| folder.write_record(&record, &revision, &ours))
    }

    fn acquire<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        life: Duration,
    ) -> BoxFuture<'a, Result<Lease, RecordError>> {
        let environment = environment.clone();
        self.aside(move |folder| {
            let ours = LeaseDocument::new(environment, life);
            folder.take_lease(&ours)?;
            let folder = folder.clone();
            // A drop has nobody to tell; the lease then ends by itself.
            let end = move |ours: LeaseDocument| drop(folder.end_lease(&ours));
            Ok(Lease { document: ours, life, end: Some(Box::new(end)) })
        })
    }

    fn renew<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), RecordError>> {
        let renewed = lease.document.lasting(lease.life);
        let stored = renewed.clone();
        let renewing = self.aside(move |folder| folder.renew_lease(&stored));
        Box::pin(async move {
            if !renewing.await? {
                lease.disarm();
                return Err(lease.lost());
            }
            lease.document = renewed;
            Ok(())
        })
    }

    fn release(&self, mut lease: Lease) -> BoxFuture<'_, Result<(), RecordError>> {
        lease.disarm();
        self.aside(move |folder| folder.end_lease(&lease.document))
    }
}

/// The bytes of a file; none when there is none.
fn read_file(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, RecordError> {
    let failed = |source| file_error("read", path, source);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // Something else is where the folder is to be.
        Err(source) if source.kind() == ErrorKind::NotADirectory => {
            let folder = path.parent().unwrap_or(path).to_owned();
            return Err(RecordError::Unwritable { folder, source });
        }
        other => other.map_err(failed)?,
    };
    // What is said of its size spares growing by and by; more than is read is not made room for.
    let size = file.metadata().map_or(0, |file| file.len()).min(limit as u64);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        let reason = format!("it is larger than {} KiB", limit / 1024);
        return Err(RecordError::Damaged { place: path.display().to_string(), reason });
    }
    Ok(Some(bytes))
}

fn revision(bytes: Option<&[u8]>) -> Revision {
    Revision(bytes.map(|bytes| blake3::hash(bytes).to_hex().to_string()))
}

fn file_error(verb: &str, path: &Path, source: std::io::Error) -> RecordError {
    RecordError::File { action: format!("{verb} `{}`", path.display()), source }
}
