//! The connection on which we call BuildKit. Start with [`control`].

use std::io;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use tonic::transport::{Channel, Endpoint as GrpcEndpoint};

use crate::engine::EngineError;
use crate::engine::endpoint::Endpoint;

/// BuildKit's own limit for a message; a status with many log lines can be large.
const MESSAGE_LIMIT: usize = 16 << 20;

/// A client of the engine's BuildKit; `None` when the engine has none to offer.
///
/// It is the only user of its connection, so that dropping it ends all that it asked for.
pub(super) async fn control(endpoint: &Endpoint) -> Result<Option<ControlClient<Channel>>, EngineError> {
    let Some(stream) = endpoint.upgrade("/grpc", &[]).await? else { return Ok(None) };
    let mut stream = Some(stream);
    let connector = tower::service_fn(move |_| {
        // A lost connection is lost: the build went with it.
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
