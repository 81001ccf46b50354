//! An image of the store as an archive, as `docker save` makes one. Start with [`save`].

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use tokio::io::AsyncWriteExt;

use crate::engine::buildkit::PendingFile;
use crate::engine::endpoint::Endpoint;
use crate::engine::{Archive, EngineError};
use crate::reference::Reference;

/// Writes the image `reference` of the engine's store into a docker archive.
pub(super) async fn save(
    endpoint: &Endpoint,
    reference: &Reference,
    archive: &Archive,
) -> Result<(), EngineError> {
    let unwritable = |error: std::io::Error| archive.unwritable(&error);
    let pending = PendingFile::open(&archive.path).map_err(unwritable)?;
    let request = Request::get(format!("/images/{reference}/get")).body(Full::<Bytes>::default());
    let request = request.map_err(|error| EngineError::Lost(error.to_string()))?;
    let mut answer = endpoint.send(request).await?;
    if !answer.response.status().is_success() {
        return Err(EngineError::Lost(answer.error_text().await));
    }
    let receiver = pending.receiver().map_err(unwritable)?;
    let mut file = receiver.writer().map_err(unwritable)?;
    loop {
        let frame = endpoint.patience().wait(answer.response.body_mut().frame()).await;
        let Some(frame) = frame.map_err(|silence| endpoint.silent(silence))? else { break };
        let frame = frame.map_err(|error| EngineError::Lost(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            file.write_all(&data).await.map_err(unwritable)?;
        }
    }
    file.flush().await.map_err(unwritable)?;
    pending.keep(&archive.path).map_err(unwritable)
}
