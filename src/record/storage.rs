//! Storages of named documents: [`Storage`], which knows bytes, names and revisions, not what the bytes mean.
//!
//! What is shared between runs changes in one way only, by compare-and-swap: [`Storage::put`] changes a document
//! while the stored revision is the one that the caller has read, and says so where it is another. A storage that
//! cannot promise this tells in [`Storage::settle`] how far its promise goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::RecordError;
use crate::config::EnvironmentName;

/// The name of a document, with what a storage has to know in order to keep it.
#[derive(Clone, Debug)]
pub struct Address {
    name: String,
    media_type: &'static str,
    size_limit: usize,
}

/// A state of a document: nothing, or some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(Option<String>);

/// A document as it was read.
#[derive(Clone, Debug)]
pub struct Document {
    /// The bytes; none where there is no such document.
    pub content: Option<Vec<u8>>,
    /// The storage's own name for the revision; none where the content tells revisions apart.
    tag: Option<String>,
}

/// A change of a document.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// The document has this content from now on.
    Write(&'a [u8]),
    /// The document is there no more.
    Remove {
        /// The content that takes the document's place in a storage that cannot remove anything.
        tombstone: &'a [u8],
    },
}

/// The end of a [`Storage::put`] that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// The document was changed and has this revision now.
    Done(Revision),
    /// The stored revision was another than the one that the caller had read. Nothing was changed.
    Changed,
}

/// A place that keeps documents for all runs of a project.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Finds out whether documents can be written, by trying; for use before any work.
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>>;

    /// Reads a document; an error for one that is larger than its address allows.
    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>>;

    /// Changes a document, if `read` is its stored revision.
    fn put<'a>(
        &'a self,
        address: &'a Address,
        change: Change<'a>,
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>>;

    /// The names of all documents, sorted.
    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, RecordError>>;

    /// The document's place, as messages name it: a file, a reference.
    fn place(&self, address: &Address) -> String;

    /// How long a change may still be overwritten by another one that was begun at the same time. None where
    /// compare-and-swap is atomic: of several changes of one revision, one is done.
    fn settle(&self) -> Option<Duration> {
        None
    }

    /// This storage for callers that cannot wait: its futures need no runtime and are ready when they are first
    /// polled. None where answers come over a network.
    fn on_this_thread(&self) -> Option<Arc<dyn Storage>> {
        None
    }
}

impl Address {
    /// The address of an environment's document of the kind that `prefix` tells: empty, or one that no environment's
    /// name begins with. So a name is fit for a file and for a tag of a registry.
    #[must_use]
    pub fn new(
        prefix: &'static str,
        environment: &EnvironmentName,
        media_type: &'static str,
        size_limit: usize,
    ) -> Self {
        Self { name: format!("{prefix}{environment}"), media_type, size_limit }
    }

    /// The name, which no other document of the storage has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the content, for storages that keep one.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// The largest content that is read, in bytes.
    #[must_use]
    pub fn size_limit(&self) -> usize {
        self.size_limit
    }
}

impl Revision {
    /// The revision that a storage names so.
    #[must_use]
    pub fn tagged(tag: String) -> Self {
        Self(Some(tag))
    }

    /// The revision of a document by its content, for storages that have no names for revisions.
    #[must_use]
    pub fn of(bytes: Option<&[u8]>) -> Self {
        Self(bytes.map(|bytes| blake3::hash(bytes).to_hex().to_string()))
    }
}

impl Document {
    /// A document whose content tells its revision.
    #[must_use]
    pub fn of(content: Option<Vec<u8>>) -> Self {
        Self { content, tag: None }
    }

    /// A document with the storage's own name for its revision.
    #[must_use]
    pub fn tagged(content: Vec<u8>, tag: String) -> Self {
        Self { content: Some(content), tag: Some(tag) }
    }

    /// The revision that was read, to be named when the document is changed.
    #[must_use]
    pub fn revision(&self) -> Revision {
        // Taken from the content here and not before: most readers change nothing.
        self.tag.clone().map_or_else(|| Revision::of(self.content.as_deref()), Revision::tagged)
    }
}
