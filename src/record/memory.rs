//! Documents in this process's memory: [`Memory`], for tests of the code above a storage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};

use super::storage::{Address, Document, Part, Put, Revision, Storage};
use super::{RecordError, error};
use crate::config::EnvironmentName;

/// A storage in memory. Clones share the documents.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

fn name(address: &Address) -> String {
    let Address { project, environment, part } = address;
    match part {
        Part::Record => format!("{project}/{environment}"),
        Part::Past(generation) => format!("{project}/_{environment}/{generation}"),
        Part::Older => environment.to_string(),
    }
}

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
            let content = self.documents().get(&name(address)).cloned();
            let limit = address.part.size_limit();
            if content.as_ref().is_some_and(|content| content.len() > limit) {
                return Err(error::too_large(self.place(address), limit));
            }
            Ok(Document::of(content))
        })
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        content: &'a [u8],
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        Box::pin(async move {
            let (mut documents, name) = (self.documents(), name(address));
            if Revision::of(documents.get(&name).map(Vec::as_slice)) != *read {
                return Ok(Put::Changed);
            }
            documents.insert(name, content.to_owned());
            Ok(Put::Done(Revision::of(Some(content))))
        })
    }

    fn past<'a>(
        &'a self,
        project: &'a str,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<u64>, RecordError>> {
        let prefix = format!("{project}/_{environment}/");
        let names = self.documents().keys().cloned().collect::<Vec<_>>();
        let past = names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect();
        Box::pin(ready(Ok(past)))
    }

    fn place(&self, address: &Address) -> String {
        format!("memory:{}", name(address))
    }

    fn on_this_thread(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(self.clone()))
    }
}
