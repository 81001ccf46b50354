//! Storages: the promises that records and leases stand on, kept by each of them.

use dtbuild::config::EnvironmentName;
use dtbuild::record::{Address, Change, Put, Revision, Storage};

use super::{production, staging, storages};

/// The document of an environment that the tests of storages change.
fn note(environment: &EnvironmentName) -> Address {
    Address::new("_note.", environment, "application/vnd.example.note.v1+json", 1024)
}

async fn put(storage: &dyn Storage, content: &str, read: &Revision) -> Put {
    storage.put(&note(&staging()), Change::Write(content.as_bytes()), read).await.unwrap()
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
        let absent = storage.get(&note(&staging())).await.unwrap();
        assert_eq!(absent.content, None, "{storage:?}");
        assert!(storage.list().await.unwrap().is_empty(), "{storage:?}");

        let first = write(storage, "1", &absent.revision()).await;
        assert_eq!(put(storage, "x", &absent.revision()).await, Put::Changed, "{storage:?}: it is there now");
        let read = storage.get(&note(&staging())).await.unwrap();
        assert_eq!((read.content.as_deref(), read.revision()), (Some(&b"1"[..]), first.clone()));
        let second = write(storage, "2", &first).await;
        assert_eq!(put(storage, "x", &first).await, Put::Changed, "{storage:?}: it is another now");

        let remove = Change::Remove { tombstone: b"gone" };
        let removed = storage.put(&note(&staging()), remove, &first).await.unwrap();
        assert_eq!(removed, Put::Changed, "{storage:?}: a removal is a change");
        assert_eq!(storage.get(&note(&staging())).await.unwrap().content.as_deref(), Some(&b"2"[..]));
        let Put::Done(removed) = storage.put(&note(&staging()), remove, &second).await.unwrap() else {
            panic!("{storage:?}")
        };
        let read = storage.get(&note(&staging())).await.unwrap();
        assert!(read.content.as_ref().is_none_or(|content| content == b"gone"), "{storage:?}: {read:?}");
        assert_eq!(read.revision(), removed);
        assert_eq!(put(storage, "x", &second).await, Put::Changed, "{storage:?}: it was removed");
        write(storage, "3", &removed).await;
    }
}

#[tokio::test]
async fn every_storage_lists_its_documents_and_reads_none_that_is_too_large() {
    let (_folder, storages) = storages();
    for storage in storages {
        for environment in [staging(), production()] {
            let absent = storage.get(&note(&environment)).await.unwrap().revision();
            let content = vec![b'a'; 1024];
            let put = storage.put(&note(&environment), Change::Write(&content), &absent).await.unwrap();
            assert!(matches!(put, Put::Done(_)), "{storage:?}");
        }
        assert_eq!(storage.list().await.unwrap(), ["_note.production", "_note.staging"], "{storage:?}");
        assert_eq!(storage.get(&note(&staging())).await.unwrap().content.unwrap().len(), 1024);
        let small = Address::new("_note.", &staging(), note(&staging()).media_type(), 1023);
        let error = storage.get(&small).await.unwrap_err().to_string();
        assert!(error.contains(&storage.place(&small)), "{error}");
    }
}

#[tokio::test]
async fn of_many_that_change_a_revision_at_once_one_does() {
    let (_folder, storages) = storages();
    for storage in storages {
        let absent = storage.get(&note(&staging())).await.unwrap().revision();
        let contents: Vec<String> = (0..8).map(|writer| writer.to_string()).collect();
        let puts = contents.iter().map(|content| put(&*storage, content, &absent));
        let mut done = futures_util::future::join_all(puts).await;
        done.retain(|put| *put != Put::Changed);
        let stored = Put::Done(storage.get(&note(&staging())).await.unwrap().revision());
        // Where it is not atomic, who looks again after a while knows.
        assert!(done.len() == 1 || storage.settle().is_some(), "{storage:?}: {done:?}");
        assert_eq!(done.iter().filter(|put| **put == stored).count(), 1, "{storage:?}: {done:?}");
    }
}
