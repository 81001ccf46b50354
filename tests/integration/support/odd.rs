//! A registry with peculiarities: the tests' own registry, behind a proxy that answers some requests as other
//! registries do. Start with [`OddRegistry`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dtbuild::registry::{Registry, Settings};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::registry::{address, write_config};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A request as the registry got it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The address of the registry itself.
    pub(crate) host: String,
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
}

/// An answer of a registry.
pub(crate) type Answer = Response<Full<Bytes>>;

/// The peculiarity of a registry: the answers that differ from those of the real registry.
pub(crate) trait Oddity: Send + Sync + 'static {
    /// The answer to a request; none to ask the real registry.
    fn answer(&self, asked: &Asked) -> Option<Answer>;

    /// Changes the real registry's answer.
    fn change(&self, _: &Asked, _: &mut Answer) {}
}

impl<F: Fn(&Asked) -> Option<Answer> + Send + Sync + 'static> Oddity for F {
    fn answer(&self, asked: &Asked) -> Option<Answer> {
        self(asked)
    }
}

/// The registry with a peculiarity. It ends when it is dropped.
pub(crate) struct OddRegistry {
    pub(crate) host: String,
    shared: Arc<Shared>,
    folder: TempDir,
    runtime: Option<Runtime>,
}

struct Shared {
    oddity: Box<dyn Oddity>,
    host: String,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    most: AtomicUsize,
}

impl Asked {
    /// True if the request is about a manifest.
    pub(crate) fn is_manifest(&self) -> bool {
        self.path.contains("/manifests/")
    }

    /// True if the request comes with the name `me` and the right password.
    pub(crate) fn is_me(&self) -> bool {
        self.authorization.as_deref() == Some(&*format!("Basic {ME}"))
    }
}

/// The login of the user that registries let in, `me:opensesame`, and of a user that they do not let in,
/// `me:hunter2`.
pub(crate) const ME: &str = "bWU6b3BlbnNlc2FtZQ==";
pub(crate) const STRANGER: &str = "bWU6aHVudGVyMg==";

/// An answer with a status and a body.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

/// The answer to an error, as the distribution specification has it.
pub(crate) fn refuse(status: u16, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    answer(status, body.to_string())
}

/// The answer with a header.
pub(crate) fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

/// The answer to a request without credentials.
pub(crate) fn challenge(challenge: &str) -> Answer {
    with(refuse(401, "UNAUTHORIZED", "authentication required"), "www-authenticate", challenge)
}

impl OddRegistry {
    pub(crate) fn new(oddity: impl Oddity) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            oddity: Box::new(oddity),
            host: host.clone(),
            asked: Mutex::default(),
            connections: AtomicUsize::default(),
            most: AtomicUsize::default(),
        });
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let client = Client::builder(TokioExecutor::new()).build_http();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, client) = (Arc::clone(&serving), client.clone());
                let now = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                shared.most.fetch_max(now, Ordering::Relaxed);
                tokio::spawn(async move {
                    let service = service_fn(|request| serve(&shared, request, &client));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    shared.connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { host, shared, folder: tempfile::tempdir().unwrap(), runtime: Some(runtime) }
    }

    /// A client with the credentials `auth`: base64 of `user:password`.
    pub(crate) fn client(&self, auth: &str) -> Registry {
        let docker_config = Some(write_config(self.folder.path(), &self.host, auth));
        Registry::new(Settings { docker_config, ..Settings::default() }).unwrap()
    }

    /// The requests since the last call, as `METHOD path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.shared.asked.lock().unwrap());
        asked.iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// The most connections that were open at a time.
    pub(crate) fn most_connections(&self) -> usize {
        self.shared.most.load(Ordering::Relaxed)
    }
}

impl Drop for OddRegistry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Tests are asynchronous themselves, and must not wait for a runtime.
            runtime.shutdown_background();
        }
    }
}

async fn serve(
    shared: &Shared,
    request: Request<Incoming>,
    client: &Client<HttpConnector, Full<Bytes>>,
) -> Result<Answer, Failure> {
    let (mut head, body) = request.into_parts();
    let asked = Asked {
        host: shared.host.clone(),
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        authorization: head
            .headers
            .remove("authorization")
            .and_then(|value| Some(value.to_str().ok()?.to_owned())),
        body: body.collect().await?.to_bytes(),
    };
    shared.asked.lock().unwrap().push(asked.clone());
    if let Some(answer) = shared.oddity.answer(&asked) {
        return Ok(answer);
    }
    let mut real = Request::builder().method(head.method).uri(format!("http://{}{}", address(), asked.path));
    for (name, value) in &head.headers {
        if !matches!(name.as_str(), "host" | "transfer-encoding" | "content-length" | "connection") {
            real = real.header(name, value);
        }
    }
    let (parts, body) = client.request(real.body(Full::new(asked.body.clone()))?).await?.into_parts();
    let mut answer = Response::from_parts(parts, Full::new(body.collect().await?.to_bytes()));
    if let Some(location) = answer.headers().get("location").and_then(|location| location.to_str().ok()) {
        let here = location.replace(&address(), &shared.host);
        answer.headers_mut().insert("location", here.parse()?);
    }
    shared.oddity.change(&asked, &mut answer);
    Ok(answer)
}
