//! The `git` program, which alone knows all the ways in which a clone may have its credentials. Start with
//! [`Repository::program`].

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gix::remote::{Direction, Name};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::Repository;
use crate::process::child::Running;

/// The most bytes of `git`'s messages that are read.
const WORDS_LIMIT: u64 = 8 << 10;

/// The end of a run of `git`.
pub(crate) struct Ended {
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) printed: Vec<u8>,
    /// The line of its messages that gives the reason of a failure.
    pub(crate) said: String,
}

/// The `git` program as it is run for a repository.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The folder that it runs in.
    folder: PathBuf,
    /// The value of `GIT_DIR`, where the process has one.
    git_dir: Option<PathBuf>,
    /// The folder of the objects and settings that all work trees of the repository share.
    common_folder: PathBuf,
    /// True if neither the environment nor the configuration sets a command for `ssh`.
    plain_ssh: bool,
}

impl Program {
    /// The folder of the objects and settings that all work trees of the repository share; absolute.
    pub(crate) fn common_folder(&self) -> &Path {
        &self.common_folder
    }

    /// A command of `git`, without arguments yet. It asks no person for anything.
    pub(crate) fn command(&self) -> Command {
        let mut git = Command::new("git");
        git.current_dir(&self.folder);
        if let Some(git_dir) = &self.git_dir {
            git.env("GIT_DIR", git_dir);
        }
        // Maintenance can take longer than the work.
        for setting in ["gc.auto=0", "maintenance.auto=false"] {
            git.args(["-c", setting]);
        }
        // Nobody may be there to answer a prompt.
        git.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never").stdin(Stdio::null());
        if self.plain_ssh {
            git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        git
    }
}

impl Repository {
    /// The `git` program, to be run in this repository.
    pub(crate) fn program(&self) -> io::Result<Program> {
        // Git itself is to find the repository, and to refuse an untrusted one: git trusts a repository that is named.
        let checkout = self.root.as_ref().filter(|root| root.join(".git").exists());
        let folder = checkout.map_or_else(|| self.inner.git_dir(), PathBuf::as_path).to_owned();
        let named = std::env::var_os("GIT_DIR").is_some();
        let git_dir = named.then(|| std::path::absolute(self.inner.git_dir())).transpose()?;
        let common_folder = std::path::absolute(self.inner.common_dir())?;
        Ok(Program { folder, git_dir, common_folder, plain_ssh: self.uses_plain_ssh() })
    }

    /// The name of the remote to fetch from: the remote of the current branch, else the only remote, else `origin`.
    pub(crate) fn fetch_remote(&self) -> Option<String> {
        let branch = self.head().ok().flatten().and_then(|head| head.branch);
        let of_branch = branch.and_then(|branch| {
            match self.inner.branch_remote_name(branch.as_str(), Direction::Fetch)? {
                // The branch follows a branch of this same clone.
                Name::Url(url) if *url == "." => None,
                Name::Url(url) => Some(url.to_string()),
                Name::Symbol(name) => Some(name.into_owned()),
            }
        });
        of_branch.or_else(|| Some(self.inner.remote_default_name(Direction::Fetch)?.to_string()))
    }

    /// True if neither the environment nor the configuration sets a command for `ssh`.
    fn uses_plain_ssh(&self) -> bool {
        let named = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some());
        !named && self.inner.config_snapshot().string("core.sshCommand").is_none()
    }
}

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command) -> io::Result<Ended> {
    run_with(command, b"").await
}

/// Runs a command to its end, with this input.
pub(crate) async fn run_with(command: &mut Command, input: &[u8]) -> io::Result<Ended> {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (out, errors) = (running.child.stdout.take(), running.child.stderr.take());
    let stdin = running.child.stdin.take();
    let given = async {
        // A command that ends before it has read all says why itself.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(input).await;
        }
        Ok::<_, io::Error>(())
    };
    let printed = async {
        let mut printed = Vec::new();
        if let Some(mut out) = out {
            out.read_to_end(&mut printed).await?;
        }
        Ok::<_, io::Error>(printed)
    };
    let words = async {
        let mut words = Vec::new();
        if let Some(mut errors) = errors {
            (&mut errors).take(WORDS_LIMIT).read_to_end(&mut words).await?;
            // A full pipe would stop the command.
            tokio::io::copy(&mut errors, &mut tokio::io::sink()).await?;
        }
        Ok::<_, io::Error>(words)
    };
    let (printed, words, ()) = tokio::try_join!(printed, words, given)?;
    let code = running.wait().await?.code();
    Ok(Ended { code, printed, said: telling(&String::from_utf8_lossy(&words)) })
}

/// The line that gives the reason of a failure, among the messages of `git` and of the programs that `git` starts.
fn telling(words: &str) -> String {
    let lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut telling = lines.filter(|line| !line.to_ascii_lowercase().starts_with("warning:"));
    let line = telling.next().unwrap_or("it does not say why");
    let line = ["fatal: ", "error: "].iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
    without_credentials(line)
}

/// The text without the users and passwords of the addresses in it.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let host = part.find(['/', ' ', '\'']).unwrap_or(part.len());
        let start = part[..host].rfind('@').map_or(0, |at| at + 1);
        clean.push_str("://");
        clean.push_str(&part[start..]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_tells_why_is_told_without_what_is_secret() {
        for (words, expected) in [
            ("error: Server does not allow it\n", "Server does not allow it"),
            (
                "Warning: Permanently added 'x'.\r\ngit@x: Permission denied (publickey).\r\nfatal: Could not read.\n",
                "git@x: Permission denied (publickey).",
            ),
            (
                "fatal: unable to access 'https://ci:to@ken@x.org/a@b.git/': 403, see http://u@y\n",
                "unable to access 'https://x.org/a@b.git/': 403, see http://y",
            ),
            ("\n", "it does not say why"),
        ] {
            assert_eq!(telling(words), expected);
        }
    }
}
