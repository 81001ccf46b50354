//! The ssh agent service of a session, which `RUN --mount=type=ssh` asks. Start with [`Agents`].
//!
//! A step gets the answers of the user's agent, and no more of the agent than BuildKit's own client gives: a
//! step may list keys and have data signed, but not add, remove or lock keys. The agent's protocol is one
//! request and one answer at a time (draft-miller-ssh-agent), each with its length before it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::moby::sshforward::v1::{
    BytesMessage, CheckAgentRequest, CheckAgentResponse, ssh_server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::config::SshAgent;
use crate::engine::EngineError;

/// The key in a request's metadata that holds the agent's id.
const ID: &str = "buildkit.ssh.id";
/// The agent's id of a mount without one.
const DEFAULT: &str = "default";
/// The longest message, in bytes: OpenSSH's own limit.
const MESSAGE_LIMIT: usize = 256 * 1024;
/// The types of the requests that are passed on: `SSH_AGENTC_REQUEST_IDENTITIES` and
/// `SSH_AGENTC_SIGN_REQUEST`.
const ALLOWED: [u8; 2] = [11, 13];
/// The answer to all other requests: `SSH_AGENT_FAILURE`, as a whole message.
const REFUSED: [u8; 5] = [0, 0, 0, 1, 5];

/// The ssh agents of a build by id, all of them the user's own agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Agents {
    ids: Arc<BTreeSet<String>>,
    socket: PathBuf,
}

impl Agents {
    /// Finds the user's agent, if a build needs one.
    pub(super) async fn find(agents: &[SshAgent]) -> Result<Self, EngineError> {
        let Some(first) = agents.first() else { return Ok(Self::default()) };
        let missing = |reason: String| EngineError::SshAgent { id: first.id.clone(), reason };
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
        let socket: PathBuf = socket.ok_or_else(|| missing("`SSH_AUTH_SOCK` is not set".to_owned()))?.into();
        UnixStream::connect(&socket)
            .await
            .map_err(|error| missing(format!("`{}`: {error}", socket.display())))?;
        let ids = agents.iter().map(|agent| agent.id.clone()).collect();
        Ok(Self { ids: Arc::new(ids), socket })
    }

    fn known(&self, id: &str) -> Result<(), Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        if self.ids.contains(id) {
            return Ok(());
        }
        Err(Status::not_found(format!(
            "ssh agent `{id}` is not declared: `ssh = [{{ id = \"{id}\" }}]` in build.toml"
        )))
    }
}

#[tonic::async_trait]
impl ssh_server::Ssh for Agents {
    type ForwardAgentStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.known(&request.get_ref().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get(ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        self.known(id)?;
        let agent = UnixStream::connect(&self.socket).await;
        let agent =
            agent.map_err(|error| Status::unavailable(format!("the ssh agent does not answer: {error}")))?;
        let (answers, stream) = mpsc::channel(1);
        tokio::spawn(forward(request.into_inner(), agent, answers));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Answers the requests of `incoming`, until either side goes away.
async fn forward(
    mut incoming: Streaming<BytesMessage>,
    mut agent: UnixStream,
    answers: mpsc::Sender<Result<BytesMessage, Status>>,
) {
    let mut waiting = Vec::new();
    while let Ok(Some(message)) = incoming.message().await {
        waiting.extend_from_slice(&message.data);
        while let Some(request) = first_message(&mut waiting) {
            let Ok(data) = answer(&request, &mut agent).await else { return };
            if answers.send(Ok(BytesMessage { data })).await.is_err() {
                return;
            }
        }
        if waiting.len() > MESSAGE_LIMIT {
            return;
        }
    }
}

/// Takes the first message, its length included, out of `bytes`; none if the message is not complete.
fn first_message(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    let end = usize::try_from(length).ok()?.checked_add(4)?;
    (bytes.len() >= end).then(|| bytes.drain(..end).collect())
}

async fn answer(request: &[u8], agent: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    if !request.get(4).is_some_and(|kind| ALLOWED.contains(kind)) {
        return Ok(REFUSED.to_vec());
    }
    agent.write_all(request).await?;
    let length = agent.read_u32().await?;
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size > MESSAGE_LIMIT {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut data = length.to_be_bytes().to_vec();
    data.resize(4 + size, 0);
    agent.read_exact(&mut data[4..]).await?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_as_a_whole() {
        let mut bytes = vec![0, 0, 0, 2, 11];
        assert_eq!(first_message(&mut bytes), None);
        bytes.extend([7, 0, 0]);
        assert_eq!(first_message(&mut bytes), Some(vec![0, 0, 0, 2, 11, 7]));
        assert_eq!(first_message(&mut bytes), None);
        assert_eq!(bytes, [0, 0]);
    }

    #[tokio::test]
    async fn keys_are_listed_and_used_but_not_changed() {
        let (mut step, mut agent) = UnixStream::pair().unwrap();
        let answering = tokio::spawn(async move {
            let mut request = [0; 5];
            agent.read_exact(&mut request).await.unwrap();
            agent.write_all(&[0, 0, 0, 2, 12, 0]).await.unwrap();
            request
        });
        // Removing all keys never reaches the agent; listing them does.
        assert_eq!(answer(&[0, 0, 0, 1, 19], &mut step).await.unwrap(), REFUSED);
        assert_eq!(answer(&[0, 0, 0, 1, 11], &mut step).await.unwrap(), [0, 0, 0, 2, 12, 0]);
        assert_eq!(answering.await.unwrap(), [0, 0, 0, 1, 11]);
    }
}
