//! Documents in this process's memory: [`Memory`], for tests of the code above a storage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};

use super::storage::{Address, Change, Document, Put, Revision, Storage};
use super::{RecordError, error};

/// A storage in memory. Clones share the documents.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Memory {
    fn documents(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Memory {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        Box::pin(ready(Ok(())))
    }

    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>> {
        Box::pin(async {
            let content = self.documents().get(address.name()).cloned();
            if content.as_ref().is_some_and(|content| content.len() > address.size_limit()) {
                return Err(error::too_large(self.place(address), address.size_limit()));
            }
            Ok(Document::of(content))
        })
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        change: Change<'a>,
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        Box::pin(async move {
            let mut documents = self.documents();
            if Revision::of(documents.get(address.name()).map(Vec::as_slice)) != *read {
                return Ok(Put::Changed);
            }
            Ok(Put::Done(match change {
                Change::Write(content) => {
                    documents.insert(address.name().to_owned(), content.to_owned());
                    Revision::of(Some(content))
                }
                Change::Remove { .. } => {
                    documents.remove(address.name());
                    Revision::of(None)
                }
            }))
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, RecordError>> {
        Box::pin(async { Ok(self.documents().keys().cloned().collect()) })
    }

    fn place(&self, address: &Address) -> String {
        format!("memory:{}", address.name())
    }

    fn on_this_thread(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(self.clone()))
    }
}
