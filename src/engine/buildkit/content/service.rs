//! The content service of containerd over [`Caches`]: the methods that BuildKit calls.

use std::convert::Infallible;
use std::io::SeekFrom;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use hyper::{Request as HttpRequest, Response as HttpResponse};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_stream::Stream;
use tokio_util::io::ReaderStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use super::Caches;
use super::layout::Layout;
use super::messages::{AbortRequest, Empty, Info, InfoRequest, InfoResponse, ReadRequest, ReadResponse};
use super::upload;
use crate::reference::Digest;

/// The methods that the engine may call where a build has caches in folders.
pub(in crate::engine::buildkit) const METHODS: [&str; 5] = [
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Status",
    "/containerd.services.content.v1.Content/Write",
    "/containerd.services.content.v1.Content/Abort",
];
/// The key in a request's metadata that holds the store's name.
const STORE: &str = "buildkit-attachable-store-id";
/// The size of the pieces that a blob is read in, in bytes: older engines take messages of 4 MiB at most.
const PIECE: usize = 1 << 20;
/// The longest message that is accepted, in bytes. The engine writes pieces of half of its own limit, which
/// is 16 MiB.
const MESSAGE_LIMIT: usize = 16 << 20;

type Pieces = Pin<Box<dyn Stream<Item = Result<ReadResponse, Status>> + Send>>;

impl NamedService for Caches {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

impl Service<HttpRequest<Body>> for Caches {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let caches = self.clone();
        Box::pin(async move { Ok(caches.answer(request).await) })
    }
}

impl Caches {
    async fn answer(self, request: HttpRequest<Body>) -> HttpResponse<Body> {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let caches = &self;
        match method.as_str() {
            "Info" => {
                let info = |asked: Request<InfoRequest>| async move { caches.info(&asked).await };
                Grpc::new(ProstCodec::default()).unary(service_fn(info), request).await
            }
            "Read" => {
                let read = |asked: Request<ReadRequest>| async move { caches.read(&asked).await };
                Grpc::new(ProstCodec::default()).server_streaming(service_fn(read), request).await
            }
            "Write" => {
                let write = |asked: Request<Streaming<_>>| async move {
                    let layout = caches.named(&asked)?.clone();
                    Ok(Response::new(upload::answers(layout, asked.into_inner())))
                };
                let mut grpc =
                    Grpc::new(ProstCodec::default()).apply_max_message_size_config(Some(MESSAGE_LIMIT), None);
                grpc.streaming(service_fn(write), request).await
            }
            // An upload lives no longer than its stream, so there is no upload to end.
            "Abort" => {
                let abort = |_: Request<AbortRequest>| async { Ok(Response::new(Empty {})) };
                Grpc::new(ProstCodec::default()).unary(service_fn(abort), request).await
            }
            // For that reason there is no upload to go on with either.
            "Status" => Status::not_found("no upload is under way").into_http(),
            other => Status::unimplemented(other).into_http(),
        }
    }

    /// The store that a request's metadata names.
    fn named<T>(&self, request: &Request<T>) -> Result<&Layout, Status> {
        let name = request.metadata().get(STORE).and_then(|name| name.to_str().ok()).unwrap_or_default();
        self.store(name).ok_or_else(|| Status::not_found(format!("this build has no cache `{name}`")))
    }

    async fn info(&self, request: &Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let asked = &request.get_ref().digest;
        let path = self.named(request)?.blob(&digest(asked)?);
        let size = tokio::fs::metadata(&path).await.map_err(|error| unreadable(asked, &error))?.len();
        let info = Info { digest: asked.clone(), size: i64::try_from(size).unwrap_or(i64::MAX) };
        Ok(Response::new(InfoResponse { info: Some(info) }))
    }

    async fn read(&self, request: &Request<ReadRequest>) -> Result<Response<Pieces>, Status> {
        let ReadRequest { digest: asked, offset, size } = request.get_ref();
        let path = self.named(request)?.blob(&digest(asked)?);
        let mut file = File::open(path).await.map_err(|error| unreadable(asked, &error))?;
        let start = u64::try_from(*offset).unwrap_or_default();
        file.seek(SeekFrom::Start(start)).await.map_err(|error| unreadable(asked, &error))?;
        let limit = u64::try_from(*size).ok().filter(|size| *size > 0).unwrap_or(u64::MAX);
        let pieces = ReaderStream::with_capacity(file.take(limit), PIECE);
        let asked = asked.clone();
        let mut offset = i64::try_from(start).unwrap_or_default();
        let pieces = pieces.map(move |piece| {
            let data = piece.map_err(|error| unreadable(&asked, &error))?.to_vec();
            let piece = ReadResponse { offset, data };
            offset += i64::try_from(piece.data.len()).unwrap_or_default();
            Ok(piece)
        });
        Ok(Response::new(Box::pin(pieces)))
    }
}

pub(super) fn digest(text: &str) -> Result<Digest, Status> {
    text.parse()
        .map_err(|error: crate::reference::ReferenceError| Status::invalid_argument(error.to_string()))
}

fn unreadable(digest: &str, error: &std::io::Error) -> Status {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Status::not_found(format!("{digest}: not found"));
    }
    Status::internal(format!("cannot read `{digest}` of the cache: {error}"))
}
