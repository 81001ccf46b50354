//! Storages: the promises that records and leases stand on, kept by each of them.

use dtbuild::config::EnvironmentName;
use dtbuild::record::{Address, Part, Put, Revision, Storage};

use super::{production, staging, storages};

fn address(environment: &EnvironmentName, part: Part) -> Address {
    Address { project: "shop".to_owned(), environment: environment.clone(), part }
}

fn record() -> Address {
    address(&staging(), Part::Record)
}

async fn put(storage: &dyn Storage, content: &str, read: &Revision) -> Put {
    storage.put(&record(), content.as_bytes(), read).await.unwrap()
}

/// Writes a document that must have this revision.
async fn write(storage: &dyn Storage, content: &str, read: &Revision) -> Revision {
    match put(storage, content, read).await {
        Put::Done(revision) => revision,
        Put::Changed => panic!("{storage:?} says that another changed the document"),
    }
}

#[tokio::test]
async fn every_storage_changes_a_document_by_compare_and_swap() {
    let (_folder, storages) = storages();
    for storage in storages {
        let storage = &*storage;
        storage.check_writable().await.unwrap();
        let absent = storage.get(&record()).await.unwrap();
        assert_eq!((&absent.content, absent.revision()), (&None, Revision::absent()), "{storage:?}");

        let first = write(storage, "1", &absent.revision()).await;
        assert_eq!(put(storage, "x", &absent.revision()).await, Put::Changed, "{storage:?}: it is there now");
        let read = storage.get(&record()).await.unwrap();
        assert_eq!((read.content.as_deref(), read.revision()), (Some(&b"1"[..]), first.clone()));
        let second = write(storage, "2", &first).await;
        assert_eq!(put(storage, "x", &first).await, Put::Changed, "{storage:?}: it is another now");
        let read = storage.get(&record()).await.unwrap();
        assert_eq!((read.content.as_deref(), read.revision()), (Some(&b"2"[..]), second));
    }
}

#[tokio::test]
async fn every_storage_tells_projects_environments_and_parts_apart() {
    let (_folder, storages) = storages();
    for storage in storages {
        let other_project = Address { project: "bank".to_owned(), ..record() };
        let addresses = [
            record(),
            other_project,
            address(&production(), Part::Record),
            address(&staging(), Part::Past(7)),
            address(&staging(), Part::Past(12)),
            address(&production(), Part::Past(3)),
        ];
        assert!(storage.past("shop", &staging()).await.unwrap().is_empty(), "{storage:?}");
        for (number, address) in addresses.iter().enumerate() {
            let content = vec![b'a'; number + 1];
            let put = storage.put(address, &content, &Revision::absent()).await.unwrap();
            assert!(matches!(put, Put::Done(_)), "{storage:?}: {address:?}");
        }
        for (number, address) in addresses.iter().enumerate() {
            let content = storage.get(address).await.unwrap().content.unwrap();
            assert_eq!(content.len(), number + 1, "{storage:?}: {address:?}");
        }
        let mut past = storage.past("shop", &staging()).await.unwrap();
        past.sort_unstable();
        assert_eq!(past, [7, 12], "{storage:?}");
    }
}

#[tokio::test]
async fn every_storage_keeps_large_documents() {
    let (_folder, storages) = storages();
    for storage in storages {
        let content = "{}\n".repeat(1 << 20);
        write(&*storage, &content, &Revision::absent()).await;
        let read = storage.get(&record()).await.unwrap();
        assert!(read.content.as_deref() == Some(content.as_bytes()), "{storage:?}");
    }
}

#[tokio::test]
async fn of_many_that_change_a_revision_at_once_one_does() {
    let (_folder, storages) = storages();
    for storage in storages {
        let absent = Revision::absent();
        let contents: Vec<String> = (0..8).map(|writer| writer.to_string()).collect();
        let puts = contents.iter().map(|content| put(&*storage, content, &absent));
        let mut done = futures_util::future::join_all(puts).await;
        done.retain(|put| *put != Put::Changed);
        let stored = Put::Done(storage.get(&record()).await.unwrap().revision());
        // Where it is not atomic, who looks again after a while knows.
        assert!(done.len() == 1 || storage.settle().is_some(), "{storage:?}: {done:?}");
        assert_eq!(done.iter().filter(|put| **put == stored).count(), 1, "{storage:?}: {done:?}");
    }
}
