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

/// The name of a document: the project, the environment, and the part of the environment's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The project's name, in the form of an image's name.
    pub project: String,
    /// The environment's name.
    pub environment: EnvironmentName,
    /// The part of the environment's record.
    pub part: Part,
}

/// A part of what is stored of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The record: the one document that changes.
    Record,
    /// A deployment that the record has no room for any more, by its generation. It never changes.
    Past(u64),
    /// The record in the place of format 1, where the project was no part of the name. It is only read.
    Older,
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

    /// Reads a document; an error where the document is larger than its part may be.
    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>>;

    /// Gives a document this content, if `read` is its stored revision. An error leaves it open whether the change
    /// was made, or will be.
    fn put<'a>(
        &'a self,
        address: &'a Address,
        content: &'a [u8],
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>>;

    /// The generations of the past deployments that are stored of an environment, in no order.
    fn past<'a>(
        &'a self,
        project: &'a str,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<u64>, RecordError>>;

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

impl Part {
    /// The largest document that is read or written, in bytes.
    #[must_use]
    pub fn size_limit(self) -> usize {
        8 * 1024 * 1024
    }

    /// The media type of the document, for storages that keep a type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Record => "application/vnd.dtbuild.record.v2+json",
            Self::Past(_) => "application/vnd.dtbuild.deployment.v2+json",
            Self::Older => "application/vnd.dtbuild.record.v1+json",
        }
    }
}

impl Revision {
    /// The revision that has this name in its storage.
    #[must_use]
    pub fn tagged(tag: String) -> Self {
        Self(Some(tag))
    }

    /// The revision of a document that does not exist.
    #[must_use]
    pub fn absent() -> Self {
        Self(None)
    }

    /// The storage's own name for the revision; none for a document that does not exist.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.as_deref()
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
