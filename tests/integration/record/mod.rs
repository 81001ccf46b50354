//! Records and leases: the same promises over every storage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dtbuild::config::EnvironmentName;
use dtbuild::error::Failure as _;
use dtbuild::git::Repository;
use dtbuild::record::{
    Address, DeployedImage, Deployment, Folder, Lease, Memory, Outcome, Part, Put, RecordError, Records,
    Revision, Storage,
};
use dtbuild_content::key::ImageKey;
use futures_util::FutureExt as _;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::support::registry::{address, client, fresh_repository};
use crate::support::repo::code;

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
    let (remote, clone) = (folder.path().join("remote.git"), folder.path().join("clone"));
    for (arguments, place) in [(&["init", "--quiet", "--bare"][..], &remote), (&["init", "--quiet"], &clone)]
    {
        let status = std::process::Command::new("git").args(arguments).arg(place).status().unwrap();
        assert!(status.success());
    }
    let clone = Repository::discover(&clone, code()).unwrap();
    let git = dtbuild::clients::GitStorage::new(&clone, format!("file://{}", remote.display())).unwrap();
    let artifacts = dtbuild::clients::RegistryStorage::new(client(), fresh_repository(&address()));
    let storages: Vec<Arc<dyn Storage>> = vec![
        Arc::new(Memory::default()),
        Arc::new(Folder::new(folder.path().join("records"))),
        Arc::new(git),
        Arc::new(artifacts),
    ];
    (folder, storages)
}

/// Records over a storage of each kind.
fn stores() -> (TempDir, Vec<Records>) {
    let (folder, storages) = storages();
    (folder, storages.into_iter().map(|storage| Records::new(storage, "shop")).collect())
}

/// The records in a folder.
fn records_in(folder: &TempDir) -> Records {
    Records::new(Arc::new(Folder::new(folder.path().to_owned())), "shop")
}

async fn take(store: &Records, life: Duration) -> Result<Lease, RecordError> {
    store.take(&staging(), life, Duration::ZERO, |_| ()).await
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
        generation: 0,
        commit: Some("c0ffee".to_owned()),
        started: now,
        finished: Some(now),
        outcome,
        images: BTreeMap::from([("api".parse().unwrap(), image)]),
        deploy: Some("command".to_owned()),
        deploy_inputs: None,
        deploy_settings: None,
        again: None,
        by: "0.1.0".to_owned(),
    }
}

#[tokio::test]
async fn a_deployment_is_one_entry_from_its_beginning_to_its_end() {
    let (_folder, stores) = stores();
    for store in stores {
        store.check_writable().await.unwrap();
        let mut lease = take(&store, LIFE).await.unwrap();
        assert!(lease.record().deployments().is_empty());
        let mut entry = Deployment { finished: None, ..deployment(Outcome::Started) };
        lease.add(&entry).await.unwrap();
        let begun = store.read(&staging()).await.unwrap().record;
        assert!(begun.is_unsure() && begun.holder().is_some());
        entry.outcome = Outcome::Succeeded;
        lease.finish(|record| record.add(entry.clone())).await.unwrap();
        let read = store.read(&staging()).await.unwrap().record;
        assert_eq!(&read, lease.record());
        assert_eq!((read.deployments().len(), read.holder(), read.generation()), (1, None, 1));
        assert_eq!(read.current().unwrap(), &Deployment { generation: 1, ..entry });
        let newest = store.read_newest(&staging()).await.unwrap();
        assert_eq!(newest.current(), read.current());
    }
}

#[tokio::test]
async fn what_a_record_has_no_room_for_stays_in_the_history() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut ids = Vec::new();
        for _ in 0..23 {
            let entry = deployment(Outcome::Succeeded);
            ids.insert(0, entry.id.clone());
            let mut lease = take(&store, LIFE).await.unwrap();
            lease.finish(|record| record.add(entry.clone())).await.unwrap();
        }
        assert_eq!(store.read(&staging()).await.unwrap().record.deployments().len(), 20);
        let history = store.history(&staging()).await.unwrap();
        assert_eq!(
            history.iter().map(|one| one.generation).collect::<Vec<_>>(),
            (1..=23).rev().collect::<Vec<_>>()
        );
        assert_eq!(history.into_iter().map(|one| one.id).collect::<Vec<_>>(), ids);
        assert!(store.history(&production()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_record_of_format_1_carries_over_with_the_first_lease() {
    let (_folder, storages) = storages();
    // Git's remote never had any.
    for storage in storages.into_iter().filter(|storage| !format!("{storage:?}").starts_with("GitStorage")) {
        let entry = serde_json::to_value(deployment(Outcome::Succeeded)).unwrap();
        let older = serde_json::json!({ "version": 1, "environment": "staging", "deployments": [entry] });
        let address = Address { project: "shop".to_owned(), environment: staging(), part: Part::Older };
        let older = older.to_string();
        let Put::Done(_) = storage.put(&address, older.as_bytes(), &Revision::absent()).await.unwrap() else {
            panic!("{storage:?}")
        };
        let ours = ["localhost:5000/datatube/api".parse().unwrap()].into();
        let store = Records::new(Arc::clone(&storage), "shop").with_older(Arc::clone(&storage), ours);
        let read = store.read(&staging()).await.unwrap();
        assert_eq!(read.carried_over, Some(storage.place(&address)));
        assert!(read.record.current().is_some());
        take(&store, LIFE).await.unwrap().release().await.unwrap();
        let read = store.read(&staging()).await.unwrap();
        assert_eq!((read.carried_over, read.record.generation()), (None, 2));
        assert!(read.record.current().is_some());
        let others = ["localhost:5000/bank/api".parse().unwrap()].into();
        let store = Records::new(Arc::clone(&storage), "bank").with_older(storage, others);
        assert!(store.read(&staging()).await.unwrap().record.deployments().is_empty());
    }
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_held_and_its_holder_is_named() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut lease = take(&store, LIFE).await.unwrap();
        store.take(&production(), LIFE, Duration::ZERO, |_| ()).await.unwrap();
        let (environment, seen) = (staging(), tokio::sync::Notify::new());
        let taking = store.take(&environment, Duration::from_secs(4), Duration::ZERO, |_| seen.notify_one());
        let renewed = async {
            seen.notified().await;
            lease.renew().await.unwrap();
        };
        let error = tokio::join!(taking, renewed).0.unwrap_err();
        assert!(error.is_lease());
        let holder = format!("`staging` is being deployed by process {} on `", std::process::id());
        assert!(error.to_string().starts_with(&holder), "{error}");
        assert!(error.hint().unwrap().contains("`dtbuild unlock staging --reason TEXT`"));
        lease.release().await.unwrap();
        take(&store, LIFE).await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_gets_a_lease_that_is_given_back() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut lease = take(&store, LIFE).await.unwrap();
        let (environment, seen) = (staging(), tokio::sync::Notify::new());
        let waiting = store.take(&environment, Duration::from_secs(4), LIFE, |_| seen.notify_one());
        let ending = async {
            seen.notified().await;
            lease.renew().await.unwrap();
            lease.renew().await.unwrap();
            lease.release().await.unwrap();
        };
        let (waited, ()) = tokio::join!(waiting, ending);
        assert_eq!(waited.unwrap().generation(), 2);
    }
}

#[tokio::test]
async fn who_slept_through_the_end_of_a_lease_is_fenced_off() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut sleeper = take(&store, Duration::from_millis(1500)).await.unwrap();
        let successor = take(&store, Duration::from_millis(1500)).await.unwrap();
        assert_eq!(successor.generation(), sleeper.generation() + 1);
        let lost = sleeper.add(&deployment(Outcome::Succeeded)).await.unwrap_err();
        assert!(matches!(lost, RecordError::LeaseLost { .. }), "{lost}");
        sleeper.release().await.unwrap();
        assert_eq!(&store.read(&staging()).await.unwrap().record, successor.record());
    }
}

#[tokio::test]
async fn who_lost_a_lease_by_an_unlocking_writes_nothing_and_the_history_keeps_the_reason() {
    let (_folder, stores) = stores();
    for store in stores {
        assert_eq!(store.unlock(&staging(), "for no reason").await.unwrap(), None);
        let mut lease = take(&store, LIFE).await.unwrap();
        lease.add(&deployment(Outcome::Started)).await.unwrap();
        let holder = store.unlock(&staging(), "its runner is gone").await.unwrap().unwrap();
        assert_eq!(holder.pid, std::process::id());
        let lost = lease.add(&deployment(Outcome::Succeeded)).await.unwrap_err();
        assert!(matches!(lost, RecordError::LeaseLost { .. }), "{lost}");
        let read = store.read(&staging()).await.unwrap().record;
        let Outcome::Unlocked { reason, .. } = &read.last().unwrap().outcome else { panic!("{read:?}") };
        assert_eq!(reason, "its runner is gone");
        assert!(read.is_unsure() && read.deployments().len() == 2);
        take(&store, LIFE).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_that_take_a_lease_at_once_one_gets_it() {
    let (_folder, stores) = stores();
    for store in stores {
        let takers = (0..8).map(|_| tokio::time::timeout(Duration::from_secs(3), take(&store, LIFE)));
        let results = futures_util::future::join_all(takers).await;
        let taken = results.iter().filter(|result| matches!(result, Ok(Ok(_)))).count();
        assert_eq!(taken, 1, "{results:?}");
    }
}

#[tokio::test]
async fn work_outlasts_a_lease_that_is_held() {
    let (_folder, stores) = stores();
    for store in stores {
        let life = Duration::from_secs(6);
        let mut lease = take(&store, life).await.unwrap();
        // Whoever looks for as long as the lease lives sees it renewed.
        let work = async { take(&store, life).await.is_err_and(|error| error.is_lease()) };
        assert!(lease.hold(work).await.unwrap());
    }
}

#[tokio::test]
async fn work_is_cancelled_when_its_lease_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let mut lease = take(&store, Duration::from_secs(6)).await.unwrap();
    store.unlock(&staging(), "a test").await.unwrap();
    let error = lease.hold(std::future::pending::<()>()).await.unwrap_err();
    assert!(matches!(error, RecordError::LeaseLost { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_lease_is_given_back() {
    let (_folder, stores) = stores();
    for store in stores {
        drop(take(&store, LIFE).await.unwrap());
        tokio::time::timeout(LIFE / 2, take(&store, LIFE)).await.unwrap().unwrap();
    }
}

#[test]
fn a_lease_on_a_folder_is_given_back_without_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lease = runtime.block_on(take(&store, LIFE)).unwrap();
    drop(runtime);
    let holder = || store.read_newest(&staging()).now_or_never().unwrap().unwrap().holder().cloned();
    assert!(holder().is_some());
    drop(lease);
    assert_eq!(holder(), None);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_found_out_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    // Root passes mode bits by; below a file, and in /proc, nobody can make a folder.
    for impossible in [folder.path().join("file/records"), Path::new("/proc/records").to_owned()] {
        let error = Records::new(Arc::new(Folder::new(impossible.clone())), "shop")
            .check_writable()
            .await
            .unwrap_err();
        let expected = format!("cannot keep records in `{}`: ", impossible.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.advice().ends_with("set another one as `[records] folder` in `build.toml`"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_record_stops_the_run_and_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = records_in(&folder);
    let path = folder.path().join("shop/staging.json");
    std::fs::create_dir(folder.path().join("shop")).unwrap();
    for damage in [&b"{\"format\": 2"[..], &vec![b' '; 9 * 1024 * 1024], b"\xff"] {
        std::fs::write(&path, damage).unwrap();
        let error = store.read(&staging()).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{}` is damaged: ", path.display())), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), damage);
    }
    std::fs::write(&path, "{\"format\": 3, \"anything\": []}").unwrap();
    let error = store.read(&staging()).await.unwrap_err();
    assert_eq!(error.hint().unwrap(), "upgrade dtbuild");
}

#[tokio::test]
async fn a_folder_follows_no_links() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = records_in(&folder);
    take(&store, LIFE).await.unwrap().release().await.unwrap();
    for linked in ["shop/staging.json", "shop"] {
        let path = folder.path().join(linked);
        std::fs::rename(&path, elsewhere.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("moved"), &path).unwrap();
        let error = store.read(&staging()).await.unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        take(&store, LIFE).await.unwrap_err();
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(elsewhere.path().join("moved"), &path).unwrap();
    }
    store.read(&staging()).await.unwrap();
}
