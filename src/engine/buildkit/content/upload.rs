//! The upload of a blob that the engine exports to a cache. Start with [`answers`].

use std::io;

use dtbuild_content::draft::Draft;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::layout::Layout;
use super::messages::{Action, WriteRequest, WriteResponse};
use super::service::digest;
use crate::reference::Digest;

/// Takes one blob, and answers each message; a stream that breaks leaves nothing behind.
pub(super) fn answers(
    layout: Layout,
    mut messages: Streaming<WriteRequest>,
) -> ReceiverStream<Result<WriteResponse, Status>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut upload = Upload::new(layout);
        while let Ok(Some(message)) = messages.message().await {
            let answer = upload.take(message).await;
            let is_over = answer.as_ref().map_or(true, |answer| answer.action() == Action::Commit);
            if sender.send(answer).await.is_err() || is_over {
                break;
            }
        }
    });
    ReceiverStream::new(receiver)
}

/// The part of a blob that has come.
struct Upload {
    layout: Layout,
    pending: Option<Pending>,
    offset: i64,
    total: i64,
    expected: Option<Digest>,
}

struct Pending {
    draft: Draft,
    file: tokio::fs::File,
    hasher: Sha256,
}

impl Upload {
    fn new(layout: Layout) -> Self {
        Self { layout, pending: None, offset: 0, total: 0, expected: None }
    }

    async fn take(&mut self, message: WriteRequest) -> Result<WriteResponse, Status> {
        if message.total > 0 {
            self.total = message.total;
        }
        if !message.expected.is_empty() {
            let expected = digest(&message.expected)?;
            if self.layout.blob(&expected).exists() {
                return Err(Status::already_exists(format!("{expected}: already exists")));
            }
            self.expected = Some(expected);
        }
        let action = message.action();
        if action != Action::Stat {
            self.write(&message).await?;
        }
        let digest = if action == Action::Commit { self.commit().await?.to_string() } else { String::new() };
        Ok(WriteResponse { action: action.into(), offset: self.offset, total: self.total, digest })
    }

    async fn write(&mut self, message: &WriteRequest) -> Result<(), Status> {
        if message.offset != self.offset {
            let (expected, got) = (self.offset, message.offset);
            return Err(Status::out_of_range(format!("expected bytes from {expected} on, not from {got}")));
        }
        let pending = self.pending().map_err(|error| unwritable(&error))?;
        pending.hasher.update(&message.data);
        pending.file.write_all(&message.data).await.map_err(|error| unwritable(&error))?;
        self.offset += i64::try_from(message.data.len()).unwrap_or_default();
        Ok(())
    }

    fn pending(&mut self) -> io::Result<&mut Pending> {
        match &mut self.pending {
            Some(pending) => Ok(pending),
            none => {
                let draft = self.layout.pending()?;
                let file = tokio::fs::File::from_std(draft.file().try_clone()?);
                Ok(none.insert(Pending { draft, file, hasher: Sha256::new() }))
            }
        }
    }

    /// Ends the blob, which takes its place if its size and digest are as announced.
    async fn commit(&mut self) -> Result<Digest, Status> {
        self.pending().map_err(|error| unwritable(&error))?;
        let Some(Pending { draft, mut file, hasher }) = self.pending.take() else {
            return Err(Status::internal("nothing was written"));
        };
        let actual = Digest::of_sha256(hasher.finalize().into());
        if self.total > 0 && self.total != self.offset {
            let (total, offset) = (self.total, self.offset);
            return Err(Status::failed_precondition(format!("{offset} bytes came of {total}")));
        }
        if let Some(expected) = self.expected.as_ref().filter(|expected| **expected != actual) {
            return Err(Status::failed_precondition(format!("what came is {actual}, not {expected}")));
        }
        file.flush().await.map_err(|error| unwritable(&error))?;
        draft.keep(&self.layout.blob(&actual)).map_err(|error| unwritable(&error))?;
        Ok(actual)
    }
}

fn unwritable(error: &io::Error) -> Status {
    Status::aborted(format!("cannot write the cache: {error}"))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// The SHA-256 of `abc`, from FIPS 180-4.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn message(action: Action, offset: i64, data: &str) -> WriteRequest {
        WriteRequest { action: action.into(), offset, data: data.into(), ..WriteRequest::default() }
    }

    fn upload() -> (tempfile::TempDir, Upload) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create().unwrap();
        (folder, Upload::new(layout))
    }

    #[tokio::test]
    async fn a_blob_comes_in_pieces_and_once() {
        let (folder, mut upload) = upload();
        let asked = WriteRequest { total: 3, expected: ABC.to_owned(), ..message(Action::Stat, 0, "") };
        assert_eq!(upload.take(asked.clone()).await.unwrap().offset, 0);
        assert_eq!(upload.take(message(Action::Write, 0, "ab")).await.unwrap().offset, 2);
        let done = upload.take(message(Action::Commit, 2, "c")).await.unwrap();
        assert_eq!((done.digest.as_str(), done.offset, done.action()), (ABC, 3, Action::Commit));
        let blob = folder.path().join("blobs").join(ABC.replace(':', "/"));
        assert_eq!(std::fs::read(blob).unwrap(), b"abc");
        assert_eq!(std::fs::read_dir(folder.path().join("ingest")).unwrap().count(), 0);
        assert_eq!(upload.take(asked).await.unwrap_err().code(), Code::AlreadyExists);
    }

    #[tokio::test]
    async fn what_is_not_what_it_should_be_leaves_nothing() {
        let (folder, mut upload) = upload();
        upload.take(message(Action::Write, 0, "ab")).await.unwrap();
        assert_eq!(upload.take(message(Action::Write, 1, "b")).await.unwrap_err().code(), Code::OutOfRange);
        let wrong = WriteRequest { expected: ABC.to_owned(), ..message(Action::Commit, 2, "d") };
        assert_eq!(upload.take(wrong).await.unwrap_err().code(), Code::FailedPrecondition);
        let wrong = WriteRequest { expected: "sha256:../../x".to_owned(), ..message(Action::Stat, 0, "") };
        assert_eq!(upload.take(wrong).await.unwrap_err().code(), Code::InvalidArgument);
        drop(upload);
        for name in ["ingest", "blobs/sha256"] {
            assert_eq!(std::fs::read_dir(folder.path().join(name)).unwrap().count(), 0, "{name}");
        }
    }
}
