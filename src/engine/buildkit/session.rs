//! The session of a build: a connection on which the engine calls *us*. Start with [`Session`].
//!
//! A session is opened beside the control connection, and BuildKit finds the session by its id. The session
//! serves all builds that [join](super::sessions) it.

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use bollard_buildkit_proto::moby::filesync::v1::file_send_server::FileSendServer;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSyncServer;
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::auth::Auth;
use super::content;
use super::filesync::FileSync;
use super::folder::CONTEXT;
use super::folders::Folders;
use super::health::Health;
use super::sessions::Terms;
use super::transport;
use crate::engine::EngineError;
use crate::engine::endpoint::{Endpoint, Task};
use crate::random;

/// The methods that the engine may call in every session; the engine compares them without regard to case.
const METHODS: [&str; 9] = [
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
    "/grpc.health.v1.Health/Check",
];

/// The method that the engine may call besides if it is to send a file.
const FILE_METHOD: &str = "/moby.filesync.v1.FileSend/DiffCopy";
/// The longest message, in bytes. BuildKit sends a file in pieces of 3 MiB at most.
const MESSAGE_LIMIT: usize = 16 << 20;

/// An open session; dropping it closes the connection.
pub(super) struct Session {
    /// The id by which a build names the session.
    pub(super) id: String,
    /// The folders that the engine may fetch.
    pub(super) folders: Folders,
    ended: CancellationToken,
    _server: Task,
}

impl Session {
    /// Opens a session with the engine; returns `None` if the engine has no sessions.
    ///
    /// The engine updates its copy of a folder that has the same name and was sent by a session for the same
    /// context, rather than fetching the whole folder again.
    pub(super) async fn open(endpoint: &Endpoint, terms: Terms) -> Result<Option<Self>, EngineError> {
        let id = random::id();
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", id.clone()),
            ("X-Docker-Expose-Session-Name", "dtbuild".to_owned()),
            ("X-Docker-Expose-Session-Sharedkey", terms.context.clone()),
        ];
        let receiving = terms.receiver.as_ref().map(|_| &FILE_METHOD);
        let stores = Some(terms.stores).filter(|stores| !stores.is_empty());
        let storing = stores.iter().flat_map(|_| &content::METHODS);
        let methods = METHODS.iter().chain(receiving).chain(storing).map(|method| (*method).to_owned());
        headers.extend(methods.map(|method| ("X-Docker-Expose-Session-Grpc-Method", method)));
        let Some(stream) = transport::session(endpoint, &headers).await? else { return Ok(None) };

        let folders = Folders::default();
        folders.add(CONTEXT, &terms.files);
        let files = FileSync { folders: folders.clone() };
        let routes = Routes::new(HealthServer::new(Health))
            .add_service(AuthServer::new(Auth))
            .add_service(SecretsServer::new(terms.secrets))
            .add_service(SshServer::new(terms.agents))
            .add_service(FileSyncServer::new(files));
        let routes = match terms.receiver {
            Some(receiver) => {
                routes.add_service(FileSendServer::new(receiver).max_decoding_message_size(MESSAGE_LIMIT))
            }
            None => routes,
        };
        let routes = match stores {
            Some(stores) => routes.add_service(stores),
            None => routes,
        };
        // The engine may ask for nothing for hours; where it is there, its side of the connection answers pings.
        let pause = endpoint.patience().limit() / 2;
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(pause)
            .keep_alive_timeout(pause)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        let server = Task::spawn(async move {
            let _end = end;
            // A session that breaks fails the build, which says why.
            let _ = connection.await;
        });
        Ok(Some(Self { id, folders, ended, _server: server }))
    }

    /// True if the engine can still call.
    pub(super) fn is_alive(&self) -> bool {
        !self.ended.is_cancelled()
    }

    /// Waits until the engine cannot call any more.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}
