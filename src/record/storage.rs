//! Storages of named documents: [`Storage`], which knows bytes, names and revisions, not the meaning of the bytes.
//!
//! Documents that runs share change by compare-and-swap only: [`Storage::put`] changes a document if the stored
//! revision is the revision that the caller has read, and answers [`Put::Changed`] otherwise. A storage that cannot
//! promise this states in [`Storage::settle`] for how long a change may still be overwritten.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::RecordError;
use crate::config::EnvironmentName;

/// The name of a document, with the type and the size limit of its content.
#[derive(Clone, Debug)]
pub struct Address {
    name: String,
    media_type: &'static str,
    size_limit: usize,
}

/// The revision of a document: the state without content, or the state with some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(Option<String>);

/// A document as it was read.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document's bytes; none where no such document is stored.
    pub content: Option<Vec<u8>>,
    /// The storage's own name for the revision; none where the revision is computed from the content.
    tag: Option<String>,
}

/// A change of a document.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// The document has this content from now on.
    Write(&'a [u8]),
    /// The document is removed.
    Remove {
        /// The content that takes the document's place in a storage that cannot remove anything.
        tombstone: &'a [u8],
    },
}

/// The result of a [`Storage::put`] that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// The document was changed and has this revision now.
    Done(Revision),
    /// The stored revision was another than the one that the caller had read. Nothing was changed.
    Changed,
}

/// A storage of documents, shared by all runs of a project.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Tries to write, so that a storage that cannot be written is found before any work.
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>>;

    /// Reads a document; an error where the document is larger than its address allows.
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

    /// The time within which a change may still be overwritten by another change that began at the same time.
    /// None where compare-and-swap is atomic: of several changes of one revision, exactly one is done.
    fn settle(&self) -> Option<Duration> {
        None
    }

    /// This storage for callers without a runtime: its futures are ready when they are first polled. None where
    /// answers come over a network.
    fn on_this_thread(&self) -> Option<Arc<dyn Storage>> {
        None
    }
}

impl Address {
    /// The address of an environment's document. `prefix` tells the kind of document: the prefix is empty, or
    /// begins with a character that no environment's name begins with. So the name is fit for a file and for a
    /// tag of a registry.
    #[must_use]
    pub fn new(
        prefix: &'static str,
        environment: &EnvironmentName,
        media_type: &'static str,
        size_limit: usize,
    ) -> Self {
        Self { name: format!("{prefix}{environment}"), media_type, size_limit }
    }

    /// The document's name, which no other document of the storage has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The media type of the content, for storages that keep a type.
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
    /// The revision that has this name in its storage.
    #[must_use]
    pub fn tagged(tag: String) -> Self {
        Self(Some(tag))
    }

    /// The revision of a document with this content, for storages that have no names for revisions.
    #[must_use]
    pub fn of(bytes: Option<&[u8]>) -> Self {
        Self(bytes.map(|bytes| blake3::hash(bytes).to_hex().to_string()))
    }
}

impl Document {
    /// A document whose revision is computed from its content.
    #[must_use]
    pub fn of(content: Option<Vec<u8>>) -> Self {
        Self { content, tag: None }
    }

    /// A document with the storage's own name for its revision.
    #[must_use]
    pub fn tagged(content: Vec<u8>, tag: String) -> Self {
        Self { content: Some(content), tag: Some(tag) }
    }

    /// The revision that was read; a later change of the document names this revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        // The content is hashed here and not before: most readers change nothing.
        self.tag.clone().map_or_else(|| Revision::of(self.content.as_deref()), Revision::tagged)
    }
}
