//! A client of BuildKit, as far as dtbuild needs one. Start with [`BuildKit`].
//!
//! A build takes two connections. On the first we ask for a solve and follow its status ([`transport`],
//! [`solve`], [`progress`]). On the second the engine fetches files, logins and secrets from us
//! ([`session`]). The first connection belongs to the future of [`BuildKit::build`]: dropping the future
//! hangs up, and BuildKit cancels a build that nobody waits for. The second connection is shared between
//! builds ([`sessions`]).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::{InfoRequest, SolveRequest, SolveResponse, StatusRequest};
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::Channel;

use self::content::Caches;
use self::failure::Dockerfile;
use self::filesend::FileReceiver;
use self::folders::Folders;
use self::progress::Progress;
use self::secrets::Secrets;
use self::session::Session;
use self::sessions::{Sessions, Terms};
use self::solve::Locals;
use self::ssh::Agents;
use super::abilities::Abilities;
use super::endpoint::Endpoint;
use super::patience::{Patience, Silence};
use super::{Archive, BuildRequest, Built, EngineError, Output, entitlements};
use crate::dockerfile::EntitlementKind;
use crate::events::EventSink;
use crate::random;
use crate::reference::Digest;

mod auth;
mod cache;
mod content;
mod failure;
mod filesend;
mod filesync;
mod folder;
mod folders;
mod health;
mod progress;
mod secrets;
mod session;
mod sessions;
mod solve;
mod source;
mod ssh;
mod transport;
mod warnings;

pub(super) use self::failure::lost_reason;
pub(super) use self::filesend::PendingFile;
pub(super) use self::folder::modified;
pub(super) use self::solve::Exporter;
pub(super) use self::source::line_of_instruction;
pub(super) use self::transport::control;

/// The longest time that the last log lines may come after the build's end.
const STATUS_GRACE: Duration = Duration::from_secs(1);

/// A BuildKit, with the sessions that its builds share.
#[derive(Debug)]
pub(super) struct BuildKit {
    endpoint: Endpoint,
    sessions: Sessions,
}

impl BuildKit {
    /// The BuildKit at `endpoint`. It is connected to when a build needs it, not before.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, sessions: Sessions::default() }
    }

    /// True if the BuildKit's configuration allows an entitlement: asks for a solve of nothing with it.
    pub(super) async fn allows(&self, kind: EntitlementKind) -> Result<bool, EngineError> {
        let Some(mut control) = transport::control(&self.endpoint).await? else { return Ok(true) };
        let asked = solve::nothing(kind);
        match self.endpoint.patience().wait(control.solve(asked)).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(status)) if entitlements::refused(status.message()).is_some() => Ok(false),
            Ok(Err(status)) => Err(EngineError::Lost(failure::lost_reason(&status))),
            Err(silence) => Err(EngineError::Lost(format!("nothing was heard for {silence}"))),
        }
    }

    /// The endpoint of the BuildKit.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Builds `request` on an engine with this name, for errors, and these abilities.
    pub(super) async fn build(
        &self,
        (engine, abilities): (&str, Abilities),
        exporter: Exporter,
        request: &BuildRequest,
        events: &EventSink,
    ) -> Result<Built, EngineError> {
        let without = || EngineError::Unsupported {
            feature: "building with BuildKit (`/grpc`)".to_owned(),
            engine: engine.to_owned(),
            hint: "use Docker 20.10 or newer".to_owned(),
        };
        let agents = Agents::find(&request.options.ssh).await?;
        let incoming = Incoming::of(&request.output)?;
        let receiver = incoming.as_ref().map(Incoming::receiver).transpose()?;
        let caches = Caches::open(&request.options)?;
        let (context, files) = (context_name(request), request.context.clone());
        let (secrets, stores) = (Secrets::read(&request.secrets).await?, caches.clone());
        let terms = Terms { context, files, secrets: secrets.clone(), agents, stores, receiver };
        let control = transport::control(&self.endpoint).await?.ok_or_else(without)?;
        let shared = self.sessions.join(&self.endpoint, &terms).await?;
        let session = shared.as_ref().and_then(|shared| shared.get()).ok_or_else(without)?;
        let locals = offer(request, &session.folders);

        let mut progress = Progress::new(request.image.clone(), events.clone(), secrets.clone());
        let names = (&*random::id(), &*session.id, &locals);
        let asked = solve::solve_request(request, (exporter, abilities), names, &caches);
        let solve = run(control.clone(), asked, &mut progress, self.endpoint.patience());
        let answer = tokio::select! {
            answer = solve => answer,
            silence = self.endpoint.patience().until_unanswered(|| ask(control.clone())) => {
                Err(Ended::Unanswered(silence))
            }
            () = gone(session, self.endpoint.patience()) => Err(Ended::WithoutSession),
        };
        progress.finish();
        match answer {
            Err(Ended::Silent(silence)) => Err(silent(silence, request, &progress)),
            Err(Ended::Unanswered(silence)) => Err(self.endpoint.silent(silence)),
            Err(Ended::WithoutSession) => {
                Err(EngineError::Lost("it ended the session of the build".to_owned()))
            }
            Ok(answer) => {
                incoming.map_or(Ok(()), Incoming::keep)?;
                content::keep(&request.options, &answer)?;
                built(&answer, exporter, &progress)
            }
            Err(Ended::Failed(status)) => Err(match session.folders.fault(locals.all()) {
                Some(reason) => EngineError::Context(reason),
                None if failure::is_without_contexts(&status) => {
                    EngineError::NoContexts { engine: engine.to_owned() }
                }
                None if failure::is_lost(&status) => EngineError::Lost(failure::lost_reason(&status)),
                None => match entitlements::refused(status.message()) {
                    Some(kind) => {
                        entitlements::not_allowed(request, kind, (engine, self.endpoint.protocol()))
                    }
                    None => failed(&status, request, &progress, &secrets),
                },
            }),
        }
    }
}

/// The file that a build is to send, with the archive that it becomes.
struct Incoming<'a> {
    archive: &'a Archive,
    file: PendingFile,
}

impl<'a> Incoming<'a> {
    fn of(output: &'a Output) -> Result<Option<Self>, EngineError> {
        let Output::File(archive) = output else { return Ok(None) };
        let file = PendingFile::open(&archive.path).map_err(|error| archive.unwritable(&error))?;
        Ok(Some(Self { archive, file }))
    }

    fn receiver(&self) -> Result<FileReceiver, EngineError> {
        self.file.receiver().map_err(|error| self.archive.unwritable(&error))
    }

    fn keep(self) -> Result<(), EngineError> {
        self.file.keep(&self.archive.path).map_err(|error| self.archive.unwritable(&error))
    }
}

/// Lets the engine fetch the folders of a build; returns the names that the folders got.
fn offer(request: &BuildRequest, folders: &Folders) -> Locals {
    let of_image = short_hash(&[request.image.as_str().as_bytes(), &request.dockerfile_path]);
    let dockerfile = folder::dockerfile(Arc::clone(&request.dockerfile));
    let named = request.contexts.folders().map(|(name, folder)| {
        (name.to_owned(), folders.add(&format!("context:{name}-{of_image}"), &folder.files))
    });
    Locals { dockerfile: folders.add(&format!("dockerfile-{of_image}"), &dockerfile), named: named.collect() }
}

/// The name under which the engine keeps its copy of the context; it is the same in every checkout.
fn context_name(request: &BuildRequest) -> String {
    match &request.context_name {
        Some(name) => short_hash(&[name.as_bytes()]),
        None => short_hash(&[request.image.as_str().as_bytes(), &request.dockerfile_path]),
    }
}

fn short_hash(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part).update(b"\0");
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The error for a build that the engine could not finish: a failed build or a refused push.
fn failed(status: &Status, request: &BuildRequest, progress: &Progress, secrets: &Secrets) -> EngineError {
    let dockerfile = Dockerfile { path: request.dockerfile_path.as_ref(), text: &request.dockerfile };
    let failure = failure::explain(status, progress, &dockerfile, secrets);
    let step = failure.step.as_deref().unwrap_or_default();
    // An engine that pushes by itself pushes in the step that exports; the build was fine.
    let pushing = request.output == Output::Push && progress::exports(step);
    match request.names.first() {
        Some(reference) if pushing => EngineError::refused(reference, &failure::cause(status.message())),
        _ => EngineError::Failed(Box::new(failure)),
    }
}

/// The error for a build whose steps wait for a registry and say nothing.
fn silent(silence: Silence, request: &BuildRequest, progress: &Progress) -> EngineError {
    let pushing = request.output == Output::Push && progress.running().any(progress::exports);
    let what = match (request.names.first(), progress.running().next()) {
        (Some(reference), _) if pushing => format!("the push of `{reference}`"),
        (_, step) => format!("the step `{}`", step.unwrap_or_default()),
    };
    let hint = "is the registry up, and can the engine reach it? try again";
    EngineError::Silent { what, time: silence.to_string(), hint }
}

/// The end of a solve that has no answer.
enum Ended {
    /// The solve or the connection failed.
    Failed(Box<Status>),
    /// Nothing was heard of a step that carries bytes from or to a registry.
    Silent(Silence),
    /// The engine left the question unanswered whether it is there.
    Unanswered(Silence),
    /// The connection ended on which the engine asks for files.
    WithoutSession,
}

/// Waits for the end of a session, and for the silence limit: the solve, or an engine that hangs, tells the reason.
async fn gone(session: &Session, patience: &Patience) {
    session.ended().await;
    tokio::time::sleep(patience.limit()).await;
}

/// Asks whether the engine is there. A call rather than an HTTP/2 ping: a buildkitd hangs up on clients that ping
/// more often than every five minutes, and a proxy answers pings for an engine that hangs. Whatever is answered
/// counts: BuildKit before 0.11 does not know the call.
async fn ask(mut control: ControlClient<Channel>) {
    let _ = control.info(InfoRequest {}).await;
}

/// Asks for the solve, and follows its status until both have ended.
async fn run(
    mut control: ControlClient<Channel>,
    asked: SolveRequest,
    progress: &mut Progress,
    patience: &Patience,
) -> Result<SolveResponse, Ended> {
    let (ended, end) = oneshot::channel::<()>();
    let reference = StatusRequest { r#ref: asked.r#ref.clone() };
    let mut watcher = control.clone();
    let follow = async {
        // The status is a courtesy: a failure of the status fails the solve too, or does not matter.
        let Ok(stream) = watcher.status(reference).await else { return None };
        let mut stream = stream.into_inner();
        loop {
            match patience.wait(stream.message()).await {
                Ok(Ok(Some(status))) => progress.update(&status),
                Ok(_) => return None,
                Err(silence) if progress.is_transferring() => return Some(silence),
                // A command may be silent for as long as it likes.
                Err(_) => {}
            }
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
            silence = follow => silence,
            () = grace => None,
        }
    };
    let (mut solve, mut watch) = (pin!(solve), pin!(watch));
    let answer = tokio::select! {
        answer = &mut solve => {
            watch.await;
            answer
        }
        silence = &mut watch => match silence {
            Some(silence) => return Err(Ended::Silent(silence)),
            None => solve.await,
        },
    };
    answer.map(tonic::Response::into_inner).map_err(|status| Ended::Failed(Box::new(status)))
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
        let building = BuildKit::new(endpoint);
        let error = building
            .build(("podman 4.3.1", Abilities::CLASSIC), Exporter::Moby, &request, &events)
            .await
            .unwrap_err();
        assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("not supported by podman 4.3.1"), "{error}");
        assert!(server.await.unwrap().starts_with("POST /grpc HTTP/1.1"));
    }
}
