//! What an engine asks a build's session for: [`asked`]. A session of the test's own, which knows the Dockerfile and
//! no file besides; the build ends as soon as all is asked for that is expected.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use bollard_buildkit_proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, health_server,
};
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, SolveRequest};
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::{self, FileSyncServer};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

/// What was asked for by the name of the context: the paths to follow; none for everything.
pub(super) type Asked = BTreeMap<String, Option<BTreeSet<String>>>;

/// How long an engine that asks for too little is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone)]
struct Session {
    dockerfile: Arc<[u8]>,
    contexts: usize,
    seen: watch::Sender<Asked>,
}

/// Has the engine at `socket` build `dockerfile` until it asked for `contexts` contexts; what it asked for, and how
/// the build ended.
pub(super) async fn asked(
    socket: &Path,
    dockerfile: &[u8],
    attributes: HashMap<String, String>,
    contexts: usize,
) -> (Asked, Result<(), String>) {
    let id = crate::engine::fixture::unique("session").tag().unwrap().to_owned();
    let seen = watch::Sender::default();
    let session = Session { dockerfile: dockerfile.into(), contexts, seen: seen.clone() };
    let methods = "X-Docker-Expose-Session-Grpc-Method: /moby.filesync.v1.FileSync/DiffCopy\r\n\
                   X-Docker-Expose-Session-Grpc-Method: /grpc.health.v1.Health/Check\r\n";
    let headers = format!(
        "X-Docker-Expose-Session-Uuid: {id}\r\nX-Docker-Expose-Session-Name: corpus\r\n\
         X-Docker-Expose-Session-Sharedkey: corpus-{id}\r\n{methods}"
    );
    let stream = upgrade(socket, "/session", &headers).await;
    let routes =
        Routes::new(health_server::HealthServer::new(Healthy)).add_service(FileSyncServer::new(session));
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let serving = tokio::spawn(async move { drop(serving.await) });

    let mut control = Some(TokioIo::new(upgrade(socket, "/grpc", "").await));
    let connector = tower::service_fn(move |_| {
        let stream = control.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        std::future::ready(stream)
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://buildkit");
    let mut client = ControlClient::new(endpoint.connect_with_connector(connector).await.unwrap());
    let solved = client
        .solve(SolveRequest {
            r#ref: id.clone(),
            session: id,
            frontend: "dockerfile.v0".to_owned(),
            frontend_attrs: attributes,
            exporter_deprecated: "moby".to_owned(),
            cache: Some(CacheOptions::default()),
            ..SolveRequest::default()
        })
        .await;
    serving.abort();
    let seen = seen.borrow().clone();
    (seen, solved.map(drop).map_err(|status| status.message().to_owned()))
}

/// A connection that was turned into a raw stream.
async fn upgrade(socket: &Path, path: &str, headers: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\
         Content-Length: 0\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // No more than the head: what follows is HTTP/2.
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

#[tonic::async_trait]
impl file_sync_server::FileSync for Session {
    type DiffCopyStream = ReceiverStream<Result<Packet, Status>>;
    type TarStreamStream = ReceiverStream<Result<Packet, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let name = values(request.metadata(), "dir-name").pop_first().unwrap_or_default();
        let paths = values(request.metadata(), "followpaths");
        // The frontend looks for ignore files, in the contexts and beside the Dockerfile.
        let frontend = !paths.is_empty() && paths.iter().all(|path| path.ends_with(".dockerignore"));
        if name == "dockerfile" || frontend {
            let (packets, stream) = mpsc::channel(16);
            let file = (name == "dockerfile").then(|| Arc::clone(&self.dockerfile));
            tokio::spawn(send(file, request.into_inner(), packets));
            return Ok(Response::new(ReceiverStream::new(stream)));
        }
        self.seen.send_modify(|seen| {
            seen.insert(name, (!paths.is_empty()).then_some(paths));
        });
        let mut seen = self.seen.subscribe();
        let complete = seen.wait_for(|seen| seen.len() >= self.contexts);
        let _ = tokio::time::timeout(PATIENCE, complete).await;
        Err(Status::aborted("enough was asked for"))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("tar streams"))
    }
}

/// Sends a folder with the Dockerfile in it, or an empty one.
async fn send(
    file: Option<Arc<[u8]>>,
    mut incoming: Streaming<Packet>,
    packets: mpsc::Sender<Result<Packet, Status>>,
) {
    let packet = |kind: PacketType| Packet { r#type: kind.into(), ..Packet::default() };
    let mut outgoing = Vec::new();
    if let Some(bytes) = &file {
        let size = i64::try_from(bytes.len()).unwrap();
        let stat =
            Stat { path: "Dockerfile".to_owned(), mode: 0o644, size, mod_time: size, ..Stat::default() };
        outgoing.push(Packet { stat: Some(stat), ..packet(PacketType::PacketStat) });
    }
    outgoing.push(packet(PacketType::PacketStat));
    for packet in outgoing {
        let _ = packets.send(Ok(packet)).await;
    }
    while let Ok(Some(asked)) = incoming.message().await {
        let answers = match (asked.r#type(), &file) {
            (PacketType::PacketReq, Some(bytes)) => {
                let data = Packet { id: asked.id, data: bytes.to_vec(), ..packet(PacketType::PacketData) };
                vec![data, Packet { id: asked.id, ..packet(PacketType::PacketData) }]
            }
            (PacketType::PacketFin, _) => vec![packet(PacketType::PacketFin)],
            _ => return,
        };
        for answer in answers {
            let _ = packets.send(Ok(answer)).await;
        }
        // The receiver waits for the stream's end.
        if asked.r#type() == PacketType::PacketFin {
            return;
        }
    }
}

/// The values of an option, decoded where a newer engine says that they are encoded.
fn values(metadata: &MetadataMap, option: &str) -> BTreeSet<String> {
    let encoded = metadata.contains_key(format!("{option}-encoded"));
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if encoded { unescape(&text) } else { text }
    };
    metadata.get_all(option).iter().map(|value| text(value.as_encoded_bytes())).collect()
}

/// Undoes Go's `url.QueryEscape`.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

struct Healthy;

#[tonic::async_trait]
impl health_server::Health for Healthy {
    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("list"))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("watch"))
    }
}
