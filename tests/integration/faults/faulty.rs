//! A registry with faults: the tests' own, behind a proxy that does to some requests what it is told.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::flow::bench::{registry_address, unique};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Failure>;

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It is answered with this status and body.
    Answer(u16, &'static str),
    /// It is answered with 429, and the wish to be left alone for a second.
    Limit,
    /// Its connection ends in the middle of it.
    Cut,
    /// It is passed on a little at a time.
    Slow,
    /// It is never answered.
    Silence,
}

/// The registry. Dropped, it ends.
pub(super) struct FaultyRegistry {
    address: String,
    rules: Arc<Mutex<Vec<Rule>>>,
    _runtime: Runtime,
}

struct Rule {
    method: &'static str,
    path: &'static str,
    fault: Fault,
    /// How many requests it still concerns.
    left: usize,
    met: usize,
}

impl FaultyRegistry {
    pub(super) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let rules = Arc::new(Mutex::new(Vec::new()));
        let listener = {
            let _inside = runtime.enter();
            let socket = TcpSocket::new_v4().unwrap();
            // What is not passed on yet stays where it comes from.
            socket.set_recv_buffer_size(64 << 10).unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(64).unwrap()
        };
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::clone(&rules);
        runtime.spawn(async move {
            let client = Client::builder(TokioExecutor::new()).build_http();
            while let Ok((stream, _)) = listener.accept().await {
                let (rules, client) = (Arc::clone(&shared), client.clone());
                let service = service_fn(move |request| {
                    let fault = fault_of(&rules, &request);
                    serve(request, fault, client.clone())
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, rules, _runtime: runtime }
    }

    /// A place for images that nobody else uses.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.address, unique())
    }

    /// Lets the next `times` requests with this method, and this text in their path, meet a fault.
    pub(super) fn fail(&self, times: usize, (method, path): (&'static str, &'static str), fault: Fault) {
        self.rules.lock().unwrap().push(Rule { method, path, fault, left: times, met: 0 });
    }

    /// How many requests met a fault.
    pub(super) fn met(&self) -> usize {
        self.rules.lock().unwrap().iter().map(|rule| rule.met).sum()
    }

    /// Ends all faults.
    pub(super) fn mend(&self) {
        self.rules.lock().unwrap().clear();
    }
}

fn fault_of(rules: &Mutex<Vec<Rule>>, request: &Request<Incoming>) -> Option<Fault> {
    let mut rules = rules.lock().unwrap();
    let meets = |rule: &&mut Rule| {
        rule.left > 0 && rule.method == request.method() && request.uri().path().contains(rule.path)
    };
    let rule = rules.iter_mut().find(meets)?;
    (rule.left, rule.met) = (rule.left - 1, rule.met + 1);
    Some(rule.fault)
}

async fn serve(
    mut request: Request<Incoming>,
    fault: Option<Fault>,
    client: Client<HttpConnector, Body>,
) -> Result<Response<Body>, Failure> {
    let answer = match fault {
        None => return pass(request.map(|body| body.map_err(Into::into).boxed_unsync()), client).await,
        Some(Fault::Slow) => return pass(request.map(slowed), client).await,
        Some(Fault::Silence) => pending().await,
        Some(Fault::Cut) => {
            let _ = request.body_mut().frame().await;
            return Err("cut".into());
        }
        Some(Fault::Limit) => Response::builder().status(429).header("retry-after", "1").body(""),
        Some(Fault::Answer(status, body)) => Response::builder().status(status).body(body),
    };
    // Who still sends does not read.
    request.into_body().collect().await?;
    Ok(answer?.map(|text| Full::from(text).map_err(|never| match never {}).boxed_unsync()))
}

async fn pass(
    mut request: Request<Body>,
    client: Client<HttpConnector, Body>,
) -> Result<Response<Body>, Failure> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("http://{}{path}", registry_address()).parse()?;
    Ok(client.request(request).await?.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// A megabyte a second, roughly.
fn slowed(body: Incoming) -> Body {
    let pieces = futures_util::stream::try_unfold((body, Bytes::new()), async |(mut body, mut rest)| {
        while rest.is_empty() {
            let Some(frame) = body.frame().await else { return Ok(None) };
            rest = frame?.into_data().unwrap_or_default();
        }
        let piece = rest.split_to(rest.len().min(32 << 10));
        tokio::time::sleep(Duration::from_millis(32)).await;
        Ok::<_, Failure>(Some((Frame::data(piece), (body, rest))))
    });
    StreamBody::new(pieces).boxed_unsync()
}
