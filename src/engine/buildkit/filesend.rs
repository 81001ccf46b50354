//! The receiving side of a session: an exporter sends the image that it made. Start with [`PendingFile`].
//!
//! The file takes its place when all of it is there, so a build that fails leaves the file that was there
//! before.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::{BytesMessage, file_send_server};
use dtbuild_content::draft::{Draft, folder_of};
use tokio::io::AsyncWriteExt;
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

/// A file that is not whole yet; dropping it removes the file.
pub(in crate::engine) struct PendingFile(Draft);

/// The receiver of one file's bytes. Clones receive the same file.
#[derive(Clone, Debug)]
pub(in crate::engine) struct FileReceiver(Arc<File>);

impl PendingFile {
    /// Prepares a file that is to be put at `path`.
    pub(in crate::engine) fn open(path: &Path) -> io::Result<Self> {
        Draft::shared(folder_of(path)).map(Self)
    }

    /// A receiver of the file's bytes.
    pub(in crate::engine) fn receiver(&self) -> io::Result<FileReceiver> {
        Ok(FileReceiver(Arc::new(self.0.file().try_clone()?)))
    }

    /// Puts the received file at `path`.
    pub(in crate::engine) fn keep(self, path: &Path) -> io::Result<()> {
        self.0.keep_durably(path)
    }
}

impl FileReceiver {
    /// A writer of the file's bytes.
    pub(in crate::engine) fn writer(&self) -> io::Result<tokio::fs::File> {
        Ok(tokio::fs::File::from_std(self.0.try_clone()?))
    }
}

impl PartialEq for FileReceiver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for FileReceiver {}

#[tonic::async_trait]
impl file_send_server::FileSend for FileReceiver {
    type DiffCopyStream = Empty<Result<BytesMessage, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let unwritable =
            |error: io::Error| Status::aborted(format!("cannot write the image's file: {error}"));
        let mut file = self.writer().map_err(unwritable)?;
        let mut incoming = request.into_inner();
        while let Some(message) = incoming.message().await? {
            file.write_all(&message.data).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        Ok(Response::new(tokio_stream::empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_takes_its_place_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        std::fs::write(&path, "before").unwrap();
        let pending = PendingFile::open(&path).unwrap();
        let mut writer = pending.receiver().unwrap().writer().unwrap();
        writer.write_all(b"after").await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        pending.keep(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        drop(PendingFile::open(&path).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
