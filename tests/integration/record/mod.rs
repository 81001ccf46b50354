//! Records and leases: the same promises over every storage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dtbuild::config::EnvironmentName;
use dtbuild::error::Failure as _;
use dtbuild::record::{
    Address, Change, DeployedImage, Deployment, Document, Folder, Lease, Memory, Outcome, Put, Record,
    RecordError, Records, Revision, Storage, hold,
};
use dtbuild_content::key::ImageKey;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::support::registry::{address, client, fresh_repository};

mod storages;

const LIFE: Duration = Duration::from_mins(1);

fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn production() -> EnvironmentName {
    "production".parse().unwrap()
}

/// A storage of each kind, with nothing in it.
fn storages() -> (TempDir, Vec<Arc<dyn Storage>>) {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = dtbuild::clients::RegistryStorage::new(client(), fresh_repository(&address()));
    let storages: Vec<Arc<dyn Storage>> = vec![
        Arc::new(Memory::default()),
        Arc::new(Folder::new(folder.path().join("records"))),
        Arc::new(artifacts),
    ];
    (folder, storages)
}

/// Records over a storage of each kind.
fn stores() -> (TempDir, Vec<Records>) {
    let (folder, storages) = storages();
    (folder, storages.into_iter().map(Records::new).collect())
}

/// The records in a folder.
fn records_in(folder: &TempDir) -> Records {
    Records::new(Arc::new(Folder::new(folder.path().to_owned())))
}

fn deployment(outcome: Outcome) -> Deployment {
    let now = OffsetDateTime::now_utc();
    let image = DeployedImage {
        reference: format!("localhost:5000/datatube/api@sha256:{}", "0f".repeat(32)).parse().unwrap(),
        key: ImageKey::from_bytes([7; 32]),
        fields: None,
        commit: None,
    };
    Deployment {
        id: Deployment::name(now),
        commit: Some("c0ffee".to_owned()),
        started: now,
        finished: now,
        outcome,
        images: BTreeMap::from([("api".parse().unwrap(), image)]),
        deploy: Some("command".to_owned()),
        deploy_inputs: None,
        by: "0.1.0".to_owned(),
    }
}

#[tokio::test]
async fn a_record_reads_back_as_it_was_written() {
    let (_folder, stores) = stores();
    for store in stores {
        store.check_writable().await.unwrap();
        let lease = store.acquire(&staging(), LIFE).await.unwrap();
        let empty = store.read(&staging()).await.unwrap();
        assert_eq!(empty.record, Record::new(staging()));
        let mut record = empty.record;
        record.add(deployment(Outcome::Succeeded));
        let revision = store.write(&record, &empty.revision, &lease).await.unwrap();
        record.add(deployment(Outcome::Failed { reason: "no disk left".to_owned() }));
        store.write(&record, &revision, &lease).await.unwrap();
        store.release(lease).await.unwrap();
        let read = store.read(&staging()).await.unwrap().record;
        assert_eq!(read, record);
        let newest = store.read_newest(&staging()).await.unwrap();
        assert_eq!(newest.current(), read.current());
        assert_eq!(read.current().unwrap().outcome, Outcome::Succeeded);
    }
}

#[tokio::test]
async fn of_two_writers_the_one_that_read_an_older_state_loses() {
    let (_folder, stores) = stores();
    for store in stores {
        let lease = store.acquire(&staging(), LIFE).await.unwrap();
        let read = store.read(&staging()).await.unwrap();
        let (mut first, mut second) = (read.record.clone(), read.record);
        first.add(deployment(Outcome::Succeeded));
        second.add(deployment(Outcome::Succeeded));
        store.write(&first, &read.revision, &lease).await.unwrap();
        let error = store.write(&second, &read.revision, &lease).await.unwrap_err();
        assert!(matches!(error, RecordError::Conflict { .. }), "{error}");
        assert_eq!(store.read(&staging()).await.unwrap().record, first);
    }
}

#[tokio::test]
async fn a_held_lease_names_its_holder() {
    let (_folder, stores) = stores();
    for store in stores {
        let lease = store.acquire(&staging(), LIFE).await.unwrap();
        let error = store.acquire(&staging(), LIFE).await.unwrap_err();
        assert!(error.is_lease());
        let holder = format!("`staging` is being deployed by process {} on `", std::process::id());
        assert!(error.to_string().starts_with(&holder), "{error}");
        store.acquire(&production(), LIFE).await.unwrap();
        store.release(lease).await.unwrap();
        store.acquire(&staging(), LIFE).await.unwrap();
    }
}

#[tokio::test]
async fn who_slept_through_the_end_of_a_lease_is_fenced_off() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut sleeper = store.acquire(&staging(), Duration::from_millis(1)).await.unwrap();
        let read = store.read(&staging()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let successor = store.acquire(&staging(), LIFE).await.unwrap();
        let lost = store.write(&read.record, &read.revision, &sleeper).await.unwrap_err();
        assert!(matches!(lost, RecordError::LeaseLost { .. }), "{lost}");
        let lost = store.renew(&mut sleeper).await.unwrap_err();
        assert!(matches!(lost, RecordError::LeaseLost { .. }), "{lost}");
        store.release(sleeper).await.unwrap();
        store.write(&read.record, &read.revision, &successor).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_that_take_a_lease_at_once_one_gets_it() {
    let (_folder, stores) = stores();
    for store in stores {
        let environment = staging();
        let takers = (0..8).map(|_| store.acquire(&environment, LIFE));
        let results = futures_util::future::join_all(takers).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    }
}

#[tokio::test]
async fn work_outlasts_a_lease_that_is_held() {
    let (_folder, stores) = stores();
    for store in stores {
        let life = Duration::from_secs(2);
        let mut lease = store.acquire(&staging(), life).await.unwrap();
        let work = async {
            tokio::time::sleep(life + Duration::from_millis(500)).await;
            store.acquire(&staging(), LIFE).await.is_err_and(|error| error.is_lease())
        };
        assert!(hold(&store, &mut lease, work).await.unwrap());
    }
}

#[tokio::test]
async fn work_is_cancelled_when_its_lease_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let mut lease = store.acquire(&staging(), Duration::from_millis(600)).await.unwrap();
    std::fs::remove_file(folder.path().join("_lease.staging.json")).unwrap();
    let error = hold(&store, &mut lease, std::future::pending::<()>()).await.unwrap_err();
    assert!(matches!(error, RecordError::LeaseLost { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_lease_is_given_back() {
    let (_folder, stores) = stores();
    for store in stores {
        drop(store.acquire(&staging(), LIFE).await.unwrap());
        let again = async { while store.acquire(&staging(), LIFE).await.is_err() {} };
        tokio::time::timeout(LIFE / 2, again).await.unwrap();
    }
}

#[test]
fn a_lease_on_a_folder_is_given_back_without_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lease = runtime.block_on(store.acquire(&staging(), LIFE)).unwrap();
    drop(runtime);
    assert!(folder.path().join("_lease.staging.json").exists());
    drop(lease);
    assert!(!folder.path().join("_lease.staging.json").exists());
}

#[test]
fn what_an_environment_runs_is_read_from_a_folder_without_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let read_newest = || store.read_newest(&staging()).now_or_never().unwrap().unwrap();
    assert_eq!(read_newest(), Record::new(staging()));
    let mut written = Record::new(staging());
    written.add(deployment(Outcome::Succeeded));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let lease = store.acquire(&staging(), LIFE).await.unwrap();
        let read = store.read(&staging()).await.unwrap();
        store.write(&written, &read.revision, &lease).await.unwrap();
    });
    drop(runtime);
    assert_eq!(read_newest(), written);
}

/// A storage in which another run takes the lease between a writer's look at it and the writer's change of the record.
#[derive(Debug, Default)]
struct Overtaken {
    memory: Memory,
    successor: Mutex<Option<Lease>>,
}

impl Storage for Overtaken {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        self.memory.check_writable()
    }

    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>> {
        self.memory.get(address)
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        change: Change<'a>,
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        Box::pin(async move {
            if address.name() == "staging" {
                let records = Records::new(Arc::new(self.memory.clone()));
                let lease = records.acquire(&staging(), LIFE).await?;
                self.successor.lock().unwrap().replace(lease);
            }
            self.memory.put(address, change, read).await
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, RecordError>> {
        self.memory.list()
    }

    fn place(&self, address: &Address) -> String {
        self.memory.place(address)
    }
}

#[tokio::test]
async fn who_is_overtaken_while_writing_goes_no_further() {
    let store = Records::new(Arc::new(Overtaken::default()));
    let lease = store.acquire(&staging(), Duration::ZERO).await.unwrap();
    let read = store.read(&staging()).await.unwrap();
    let lost = store.write(&read.record, &read.revision, &lease).await.unwrap_err();
    assert!(matches!(lost, RecordError::LeaseLost { .. }), "{lost}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_found_out_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    // Root passes mode bits by; below a file, and in /proc, nobody can make a folder.
    for impossible in [folder.path().join("file/records"), Path::new("/proc/records").to_owned()] {
        let error =
            Records::new(Arc::new(Folder::new(impossible.clone()))).check_writable().await.unwrap_err();
        let expected = format!("cannot keep records in `{}`: ", impossible.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.advice().ends_with("set another one as `[records] folder` in `build.toml`"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_record_stops_the_run_and_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let path = folder.path().join("staging.json");
    for damage in [&b"{\"version\": 1"[..], &vec![b' '; 9 * 1024 * 1024], b"\xff"] {
        std::fs::write(&path, damage).unwrap();
        let error = store.read(&staging()).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{}` is damaged: ", path.display())), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), damage);
    }
    std::fs::write(&path, "{\"version\": 2, \"anything\": []}").unwrap();
    let error = store.read(&staging()).await.unwrap_err();
    assert_eq!(error.hint().unwrap(), "upgrade dtbuild");
}
