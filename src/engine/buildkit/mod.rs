//! A client of BuildKit, as far as dtbuild needs one. Start with [`build`].
//!
//! A build takes two connections: on one we ask for a solve and follow its status ([`transport`], [`solve`],
//! [`progress`]), on the other the engine fetches files, logins and secrets from us ([`session`]). Both belong to
//! the future of [`build`]: dropping it hangs up, and BuildKit cancels what nobody waits for.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::{SolveRequest, SolveResponse, StatusRequest};
use dtbuild_cache::snapshot::Snapshot;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::Channel;

use self::failure::Dockerfile;
use self::filesync::FileSync;
use self::progress::Progress;
use self::secrets::Secrets;
use self::session::Session;
use self::ssh::Agents;
use super::endpoint::Endpoint;
use super::transient::is_transient;
use super::{BuildRequest, Built, EngineError, Output};
use crate::execute::events::EventSink;
use crate::reference::Digest;

mod auth;
mod cache;
mod failure;
mod filesync;
mod folder;
mod health;
mod lines;
mod progress;
mod secrets;
mod session;
mod solve;
mod source;
mod ssh;
mod transport;

pub(super) use self::failure::lost_reason;
pub(super) use self::solve::Exporter;
pub(super) use self::transport::control;

/// What BuildKit calls the steps that bring a result to where it goes.
const EXPORTS: [&str; 2] = ["exporting to ", "pushing "];
/// How long the last log lines may come after the build's end.
const STATUS_GRACE: Duration = Duration::from_secs(1);

/// Builds `request` on the BuildKit at `endpoint`; `engine` names it in errors.
pub(super) async fn build(
    endpoint: &Endpoint,
    engine: &str,
    exporter: Exporter,
    request: &BuildRequest,
    events: &EventSink,
) -> Result<Built, EngineError> {
    let without = || EngineError::Unsupported {
        feature: "building with BuildKit (`/grpc`)".to_owned(),
        engine: engine.to_owned(),
        hint: "use Docker 20.10 or newer".to_owned(),
    };
    let secrets = Secrets::read(&request.secrets).await?;
    let agents = Agents::find(&request.options.ssh).await?;
    let fault = Arc::new(OnceLock::new());
    let files = FileSync { folders: folders(request), fault: Arc::clone(&fault) };
    let control = transport::control(endpoint).await?.ok_or_else(without)?;
    let session = Session::open(endpoint, shared_key(request), files, (secrets.clone(), agents)).await?;
    let session = session.ok_or_else(without)?;

    let mut progress = Progress::new(request.image.clone(), events.clone(), secrets.clone());
    let asked = solve::solve_request(request, exporter, &unique_id(), &session.id);
    let answer = run(control, asked, &mut progress).await;
    progress.finish();
    match answer {
        Ok(answer) => built(&answer, exporter, &progress),
        Err(status) => Err(match fault.get() {
            Some(reason) => EngineError::Context(reason.clone()),
            None if failure::is_without_contexts(&status) => {
                EngineError::NoContexts { engine: engine.to_owned() }
            }
            None if failure::is_lost(&status) => EngineError::Lost(failure::lost_reason(&status)),
            None => failed(&status, request, &progress, &secrets),
        }),
    }
}

/// The folders that the engine may fetch, by the names that it asks for.
fn folders(request: &BuildRequest) -> BTreeMap<String, Snapshot> {
    let dockerfile = folder::dockerfile(Arc::clone(&request.dockerfile));
    let own = [("context".to_owned(), request.context.clone()), ("dockerfile".to_owned(), dockerfile)];
    let named =
        request.contexts.folders().map(|(name, folder)| (solve::local_name(name), folder.files.clone()));
    own.into_iter().chain(named).collect()
}

/// The error for a build that the engine could not finish.
fn failed(status: &Status, request: &BuildRequest, progress: &Progress, secrets: &Secrets) -> EngineError {
    let dockerfile = Dockerfile { path: request.dockerfile_path.as_ref(), text: &request.dockerfile };
    let failure = failure::explain(status, progress, &dockerfile, secrets);
    let step = failure.step.as_deref().unwrap_or_default();
    // An engine that pushes by itself does it in the step that exports; the build was fine.
    let pushing = request.output == Output::Push && EXPORTS.iter().any(|prefix| step.starts_with(prefix));
    match request.names.first() {
        Some(reference) if pushing => {
            let reason = failure::cause(status.message());
            let transient = is_transient(&reason);
            EngineError::Push { reference: reference.clone(), reason, transient }
        }
        _ => EngineError::Failed(Box::new(failure)),
    }
}

/// Solves, and follows the status until both have ended.
async fn run(
    mut control: ControlClient<Channel>,
    asked: SolveRequest,
    progress: &mut Progress,
) -> Result<SolveResponse, Status> {
    let (ended, end) = oneshot::channel::<()>();
    let reference = StatusRequest { r#ref: asked.r#ref.clone() };
    let mut watcher = control.clone();
    let follow = async {
        // The status is a courtesy: what fails it fails the solve too, or does not matter.
        let Ok(stream) = watcher.status(reference).await else { return };
        let mut stream = stream.into_inner();
        while let Ok(Some(status)) = stream.message().await {
            progress.update(&status);
        }
    };
    let grace = async {
        let _ = end.await;
        tokio::time::sleep(STATUS_GRACE).await;
    };
    let solve = async {
        let answer = control.solve(asked).await;
        drop(ended);
        answer
    };
    let watch = async {
        tokio::select! {
            () = follow => {}
            () = grace => {}
        }
    };
    let (answer, ()) = tokio::join!(solve, watch);
    answer.map(tonic::Response::into_inner)
}

fn built(answer: &SolveResponse, exporter: Exporter, progress: &Progress) -> Result<Built, EngineError> {
    let steps = progress.count();
    if exporter != Exporter::Push {
        return Ok(Built { pushed: None, steps });
    }
    let digest = answer.exporter_response.get("containerimage.digest");
    let digest = digest.and_then(|digest| digest.parse::<Digest>().ok());
    let pushed =
        digest.ok_or_else(|| EngineError::Lost("it pushed without telling the digest".to_owned()))?;
    Ok(Built { pushed: Some(pushed), steps })
}

/// What the engine keeps its copy of the context under: the same for every build of an image, on every checkout.
fn shared_key(request: &BuildRequest) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(request.image.as_str().as_bytes()).update(b"\0").update(&request.dockerfile_path);
    format!("dtbuild-{}", &hasher.finalize().to_hex()[..32])
}

/// An id that no other build on the engine has.
fn unique_id() -> String {
    // Each `RandomState` has keys of its own from the system's source of randomness.
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::engine::fake;

    #[tokio::test]
    async fn an_engine_without_buildkit_is_unsupported() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let endpoint = Endpoint::parse(&address, None).unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let events = EventSink::channel().0;
        let request = fake::request("api");
        let error = build(&endpoint, "podman 4.3.1", Exporter::Moby, &request, &events).await.unwrap_err();
        assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("not supported by podman 4.3.1"), "{error}");
        assert!(server.await.unwrap().starts_with("POST /grpc HTTP/1.1"));
    }

    #[test]
    fn ids_are_unique() {
        assert_ne!(unique_id(), unique_id());
    }
}
