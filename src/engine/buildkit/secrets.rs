//! The secrets of a build. Start with [`Secrets`].
//!
//! The values are read before the build starts, are sent only to a `RUN --mount=type=secret` that asks for
//! them, and are taken out of the output of the build.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::{
    GetSecretRequest, GetSecretResponse, secrets_server,
};
use tokio::io::AsyncReadExt;
use tonic::{Request, Response, Status};

use crate::config::{SecretSource, SecretValue};
use crate::engine::EngineError;

/// The largest secret, in bytes: BuildKit's own limit.
const LIMIT: u64 = 500 * 1024;
/// The shortest value that is taken out of logs, in bytes. Shorter values would black out innocent text, and
/// are no secrets.
const SHORTEST_REDACTED: usize = 6;
/// The text that stands for a secret in a log.
const REDACTED: &str = "***";

/// The values of a build's secrets by id.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Secrets(Arc<BTreeMap<String, Vec<u8>>>);

impl Secrets {
    /// Reads the values of the secrets from the variables and files that `sources` name.
    pub(super) async fn read(sources: &[SecretSource]) -> Result<Self, EngineError> {
        let mut values = BTreeMap::new();
        for source in sources {
            let value = read(&source.value)
                .await
                .map_err(|reason| EngineError::Secret { id: source.id.clone(), reason })?;
            values.insert(source.id.clone(), value);
        }
        Ok(Self(Arc::new(values)))
    }

    /// The line without the secrets in it. A value of several lines is looked for line by line.
    pub(super) fn redact(&self, line: String) -> String {
        let parts = self.0.values().flat_map(|value| value.split(|byte| *byte == b'\n'));
        let parts = parts.filter_map(|part| std::str::from_utf8(part).ok()).map(str::trim);
        parts
            .filter(|part| part.len() >= SHORTEST_REDACTED)
            .fold(line, |line, part| if line.contains(part) { line.replace(part, REDACTED) } else { line })
    }
}

async fn read(value: &SecretValue) -> Result<Vec<u8>, String> {
    match value {
        SecretValue::Env(name) => match std::env::var_os(name) {
            Some(value) => Ok(value.into_encoded_bytes()),
            None => Err(format!("the environment variable `{name}` is not set")),
        },
        SecretValue::File(path) => {
            let shown = path.display();
            let unreadable = |error: std::io::Error| format!("cannot read `{shown}`: {error}");
            let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
            let mut bytes = Vec::new();
            file.take(LIMIT + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
            if bytes.len() as u64 > LIMIT {
                return Err(format!("`{shown}` is larger than 500 KiB, the most that BuildKit takes"));
            }
            Ok(bytes)
        }
    }
}

#[tonic::async_trait]
impl secrets_server::Secrets for Secrets {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = &request.get_ref().id;
        let data = self.0.get(id).cloned();
        let data = data.ok_or_else(|| Status::not_found(format!("secret `{id}` is not declared")))?;
        Ok(Response::new(GetSecretResponse { data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(value: SecretValue) -> [SecretSource; 1] {
        [SecretSource { id: "npm".to_owned(), value, version: None }]
    }

    #[tokio::test]
    async fn a_missing_value_is_an_error_before_the_build() {
        let env = Secrets::read(&source(SecretValue::Env("DTBUILD_NO_SUCH_VARIABLE".to_owned()))).await;
        let error = env.err().unwrap().to_string();
        assert!(
            error.contains("`npm`") && error.contains("`DTBUILD_NO_SUCH_VARIABLE` is not set"),
            "{error}"
        );
        assert!(Secrets::read(&source(SecretValue::File("/nonexistent/npmrc".into()))).await.is_err());
    }

    #[tokio::test]
    async fn lines_of_a_secret_are_redacted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "user\nhunter22-token\n").unwrap();
        let secrets = Secrets::read(&source(SecretValue::File(file.path().into()))).await.unwrap();
        assert_eq!(secrets.redact("a hunter22-token, user".to_owned()), "a ***, user");
    }
}
