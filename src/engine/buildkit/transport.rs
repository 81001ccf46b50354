//! The connections to BuildKit: one on which we call BuildKit, one on which BuildKit calls us. Start with
//! [`control`].
//!
//! dockerd hides both connections behind an HTTP upgrade. A buildkitd speaks gRPC at once, and carries the
//! second connection inside a call of the first: a stream of messages, each a piece of the bytes.

use std::io;

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio_stream::StreamExt;
use tokio_util::io::{ReaderStream, StreamReader};
use tonic::Request;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Channel, Endpoint as GrpcEndpoint};

use super::failure::lost_reason;
use crate::engine::EngineError;
use crate::engine::endpoint::{Connection, Endpoint, Protocol};

/// The longest message, in bytes: BuildKit's own limit. A status with many log lines can be large.
const MESSAGE_LIMIT: usize = 16 << 20;
/// The size of the pieces that bytes are carried in, in bytes.
const PIECE: usize = 32 << 10;

/// A client of the engine's BuildKit; `None` if the engine has none to offer.
///
/// The client is the only user of its connection, so dropping the client ends all that it asked for.
pub(in crate::engine) async fn control(
    endpoint: &Endpoint,
) -> Result<Option<ControlClient<Channel>>, EngineError> {
    let stream: Box<dyn Connection> = match endpoint.protocol() {
        Protocol::BuildKit => endpoint.connect().await?,
        Protocol::Docker => match endpoint.upgrade("/grpc", &[]).await? {
            Some(stream) => Box::new(TokioIo::new(stream)),
            None => return Ok(None),
        },
    };
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        // A lost connection is not opened again: the build went with it.
        let stream = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionReset));
        std::future::ready(stream)
    });
    // The address is never looked up.
    let channel = GrpcEndpoint::from_static("http://buildkit")
        .connect_with_connector(connector)
        .await
        .map_err(|error| EngineError::Lost(error.to_string()))?;
    let client = ControlClient::new(channel);
    Ok(Some(client.max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)))
}

/// The stream on which the engine calls us, opened with `headers`; `None` if the engine has none to offer.
pub(super) async fn session(
    endpoint: &Endpoint,
    headers: &[(&'static str, String)],
) -> Result<Option<Box<dyn Connection>>, EngineError> {
    match endpoint.protocol() {
        Protocol::Docker => {
            let stream = endpoint.upgrade("/session", headers).await?;
            Ok(stream.map(|stream| Box::new(TokioIo::new(stream)) as Box<dyn Connection>))
        }
        Protocol::BuildKit => match control(endpoint).await? {
            Some(control) => {
                let opened = endpoint.patience().wait(carried(control, headers)).await;
                opened.map_err(|silence| endpoint.silent(silence))?.map(Some)
            }
            None => Ok(None),
        },
    }
}

/// The stream that is carried inside a call of `Control.Session`.
async fn carried(
    mut control: ControlClient<Channel>,
    headers: &[(&'static str, String)],
) -> Result<Box<dyn Connection>, EngineError> {
    let (ours, theirs) = tokio::io::duplex(PIECE);
    let pieces = ReaderStream::with_capacity(theirs, PIECE);
    let pieces = pieces.map_while(Result::ok).map(|piece| BytesMessage { data: piece.to_vec() });
    let mut request = Request::new(pieces);
    for (name, value) in headers {
        let name = AsciiMetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes());
        let value = AsciiMetadataValue::try_from(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.metadata_mut().append(name, value);
        }
    }
    let answer = control.session(request).await;
    let incoming = answer.map_err(|status| EngineError::Lost(lost_reason(&status)))?.into_inner();
    let incoming = incoming.map(move |message| {
        // The channel ends with its last client, and the stream with the channel.
        let _ = &control;
        message.map(|message| Bytes::from(message.data)).map_err(io::Error::other)
    });
    Ok(Box::new(tokio::io::join(StreamReader::new(Box::pin(incoming)), ours)))
}
