//! Credential helpers: programs `docker-credential-NAME` that keep logins. Start with [`Helper::get`].
//!
//! The protocol is that of <https://github.com/docker/docker-credential-helpers>: the registry's key goes to standard
//! input, JSON comes back on standard output. A failure is a text on standard output, which may hold a secret and is
//! never shown.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::Login;
use crate::process::child::Running;

/// The longest time that a helper may take: a helper may ask a keychain, which may ask its owner.
const LIMIT: Duration = Duration::from_mins(1);

/// The longest time that a helper's output may stay open after the helper ended: a process that the helper left
/// behind may hold the output for ever.
const DRAIN: Duration = Duration::from_secs(1);

/// The largest answer of a helper, in bytes.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// The user name by which a helper marks an identity token.
const TOKEN: &str = "<token>";

/// A credential helper: a program with a time limit.
pub(super) struct Helper {
    program: OsString,
    limit: Duration,
}

/// The failure of a helper to give a login: the reason, and the advice on what to do.
pub(super) type Failure = (String, String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl Helper {
    /// The helper that `config.json` names `name`.
    pub(super) fn new(name: &str) -> Self {
        Self { program: format!("docker-credential-{name}").into(), limit: LIMIT }
    }

    /// The login that the helper keeps under a key; none where the helper keeps no such login. A helper that
    /// takes too long is ended, with everything that it started.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Login>, Failure> {
        let name = self.program.display();
        let mut command = Command::new(&self.program);
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command).map_err(|error| {
            let hint = "install it, or take it out of docker's `config.json`";
            (format!("the credential helper `{name}` cannot be run: {error}"), hint.to_owned())
        })?;
        let Ok(talked) = timeout(self.limit, talk(&mut running, key)).await else {
            // A helper that resists takes a while to end: the drop waits on a thread that may block.
            let _ = tokio::task::spawn_blocking(move || drop(running)).await;
            let reason =
                format!("`{name}` gave no answer within {} seconds and was ended", self.limit.as_secs());
            return Err((reason, format!("run `{name} list` to see what it waits for")));
        };
        let to_see_why = || "run `docker login` to see why".to_owned();
        let (success, said) =
            talked.map_err(|error| (format!("`{name}` broke off: {error}"), to_see_why()))?;
        if !success {
            let said = String::from_utf8_lossy(&said);
            return if means_none(&said) {
                Ok(None)
            } else {
                Err((format!("`{name}` failed"), to_see_why()))
            };
        }
        let answer = serde_json::from_slice(&said);
        let Answer { username, secret } =
            answer.map_err(|_| (format!("`{name}` gave an invalid answer"), to_see_why()))?;
        Ok(match (username.as_str(), secret.is_empty()) {
            (TOKEN, _) => Some(Login::IdentityToken(secret)),
            ("", true) => None,
            _ => Some(Login::Password { username, password: secret }),
        })
    }
}

/// Asks a helper: true if the helper succeeded, and the bytes that it printed.
async fn talk(running: &mut Running, key: &str) -> std::io::Result<(bool, Vec<u8>)> {
    if let Some(mut stdin) = running.child.stdin.take() {
        // A helper may answer without reading the key.
        let _ = stdin.write_all(key.as_bytes()).await;
    }
    let mut said = Vec::new();
    let stdout = running.child.stdout.take();
    let status = {
        let reading = async {
            if let Some(stdout) = stdout {
                let _ = stdout.take(ANSWER_LIMIT).read_to_end(&mut said).await;
            }
        };
        let mut reading = std::pin::pin!(reading);
        let ended = tokio::select! {
            () = &mut reading => None,
            status = running.wait() => Some(status),
        };
        match ended {
            Some(status) => {
                let _ = timeout(DRAIN, reading).await;
                status?
            }
            None => running.wait().await?,
        }
    };
    Ok((status.success(), said))
}

/// True if a helper's words mean "not found". Helpers say so in words only; docker's client looks for these two
/// texts.
fn means_none(said: &str) -> bool {
    said.contains("credentials not found") || said.contains("no credentials")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    fn helper(folder: &Path, script: &str) -> Helper {
        let path = folder.join("docker-credential-x");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Helper { program: path.into(), limit: Duration::from_secs(30) }
    }

    async fn get(script: &str) -> Result<Option<Login>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        helper(folder.path(), script).get("r.example").await
    }

    #[tokio::test]
    async fn a_helper_answers_with_a_password_a_token_or_nothing() {
        let script = r#"printf '{"ServerURL":"%s","Username":"me","Secret":"pw"}' "$(cat)-$1""#;
        let password = Login::Password { username: "me".to_owned(), password: "pw".to_owned() };
        assert!(get(script).await.unwrap() == Some(password));
        let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        assert!(get(token).await.unwrap() == Some(Login::IdentityToken("t".to_owned())));
        assert!(get("echo credentials not found in native keychain; exit 1").await.unwrap().is_none());
        assert!(get(r#"echo '{"Username":"","Secret":""}'"#).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_words_of_a_helper_are_not_repeated() {
        for script in ["echo hunter2; exit 1", "echo hunter2"] {
            let Err((reason, hint)) = get(script).await else { panic!("{script}") };
            assert!(!reason.contains("hunter2") && hint == "run `docker login` to see why", "{reason}");
        }
        let missing = Helper::new("there-is-none-of-this-name");
        let Err((reason, _)) = missing.get("r.example").await else { panic!() };
        assert!(reason.contains("`docker-credential-there-is-none-of-this-name` cannot be run"), "{reason}");
    }

    #[tokio::test]
    async fn a_helper_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("sleep 600 & echo $! > {}/child; wait", folder.path().display());
        let started = Instant::now();
        let slow = Helper { limit: Duration::from_secs(1), ..helper(folder.path(), &script) };
        let Err((reason, _)) = slow.get("r.example").await else { panic!() };
        assert!(reason.contains("gave no answer within 1 seconds and was ended"), "{reason}");
        assert!(started.elapsed() < Duration::from_secs(20));
        let child = std::fs::read_to_string(folder.path().join("child")).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/status", child.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains("State:\tZ"), "{state}");
    }

    #[tokio::test]
    async fn what_a_helper_leaves_behind_does_not_hold_its_answer() {
        let started = Instant::now();
        let found = get(r#"echo '{"Username":"me","Secret":"pw"}'; sleep 30 &"#).await.unwrap();
        assert!(found.is_some() && started.elapsed() < Duration::from_secs(20));
    }
}
