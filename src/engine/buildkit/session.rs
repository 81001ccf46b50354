//! The session of a build: a connection on which the engine calls *us*. Start with [`Session`].
//!
//! It is opened beside the control connection, and BuildKit finds it by its id. A session can serve
//! several builds of one context; today each build opens its own.

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSyncServer;
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tonic::service::Routes;

use super::auth::Auth;
use super::filesync::FileSync;
use super::health::Health;
use super::secrets::Secrets;
use super::ssh::Agents;
use super::{transport, unique_id};
use crate::engine::EngineError;
use crate::engine::endpoint::{Endpoint, Task};

/// The methods that the engine may call; it compares without regard to case.
const METHODS: [&str; 6] = [
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
    "/grpc.health.v1.Health/Check",
];

/// An open session; dropping it hangs up.
pub(super) struct Session {
    /// What a build names the session by.
    pub(super) id: String,
    _server: Task,
}

impl Session {
    /// Opens a session with the engine; `None` when the engine has no sessions.
    ///
    /// Builds with the same `shared_key` update the engine's copy of the folders that the last of them sent,
    /// rather than sending all of them again.
    pub(super) async fn open(
        endpoint: &Endpoint,
        shared_key: String,
        files: FileSync,
        (secrets, agents): (Secrets, Agents),
    ) -> Result<Option<Self>, EngineError> {
        let id = unique_id();
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", id.clone()),
            ("X-Docker-Expose-Session-Name", "dtbuild".to_owned()),
            ("X-Docker-Expose-Session-Sharedkey", shared_key),
        ];
        let methods = METHODS.iter().map(|method| (*method).to_owned());
        headers.extend(methods.map(|method| ("X-Docker-Expose-Session-Grpc-Method", method)));
        let Some(stream) = transport::session(endpoint, &headers).await? else { return Ok(None) };

        let routes = Routes::new(HealthServer::new(Health))
            .add_service(AuthServer::new(Auth))
            .add_service(SecretsServer::new(secrets))
            .add_service(SshServer::new(agents))
            .add_service(FileSyncServer::new(files));
        let connection = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
        let server = Task::spawn(async move {
            // A session that breaks fails the build, which says why.
            let _ = connection.await;
        });
        Ok(Some(Self { id, _server: server }))
    }
}
