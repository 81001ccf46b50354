//! The storage of records in references of git's remote. It connects `record` and `git`, which do not know each other.
//! Start with [`GitStorage`].
//!
//! A record is the file `record.json` of the commit at `refs/dtbuild/<project>/<environment>`, where no clone fetches it
//! and no branch shows it. It is changed by `git push --force-with-lease`, which git's servers do atomically: a push names the commit
//! that was read. A write that changes deployments extends the chain of commits; any other replaces the newest commit.
//! Everything happens in a private bare repository beside the clone's objects, with the remotes and credentials of the clone.

use std::path::PathBuf;

use dtbuild_content::draft::folder_of;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::process::Command;

use crate::config::EnvironmentName;
use crate::error::{Code, Failure};
use crate::git::Repository;
use crate::git::program::{Ended, Program, run_with, without_credentials};
use crate::record::{Address, Document, Part, Put, RecordError, Revision, Storage};

/// The name of the record's file in its commit.
const FILE: &str = "record.json";

/// A storage that keeps documents as references of git's remote.
#[derive(Clone, Debug)]
pub struct GitStorage {
    git: Program,
    remote: String,
    /// The remote without a password in it, for messages.
    shown: String,
    /// The private repository.
    repository: PathBuf,
}

/// A failure of the `git` program, or of the remote.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action}: {said}")]
struct GitFailure {
    action: String,
    said: String,
}

impl Failure for GitFailure {
    fn code(&self) -> Code {
        Code::RecordUnusable
    }

    fn hint(&self) -> Option<String> {
        let hint = if self.action.starts_with("push") {
            "`[records] store = \"git\"` needs the right to push `refs/dtbuild/*` to the remote"
        } else {
            "see that `git ls-remote` reaches the remote that `[records] remote` names, or the branch is fetched from"
        };
        Some(hint.to_owned())
    }
}

fn failed(action: &str, said: &impl ToString) -> RecordError {
    RecordError::Storage(Box::new(GitFailure { action: action.to_owned(), said: said.to_string() }))
}

impl GitStorage {
    /// The storage at a remote of a repository: a name or a url.
    ///
    /// # Errors
    /// When the system does not tell the folder that relative paths start from.
    pub fn new(repository: &Repository, remote: String) -> std::io::Result<Self> {
        let git = repository.program()?;
        let repository = git.common_folder().join("dtbuild/records.git");
        let shown = without_credentials(&remote);
        Ok(Self { git, remote, shown, repository })
    }

    /// A command of git in the private repository, with the remotes of the clone.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut git = self.git.command();
        git.args(["-c", &format!("include.path={}", self.git.common_folder().join("config").display())]);
        // The hooks of the clone are for its own branches.
        git.args(["-c", "core.hooksPath=/dev/null"]).env_remove("GIT_DIR").env("LC_ALL", "C");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "dtbuild")
                .env(format!("GIT_{role}_EMAIL"), "dtbuild@localhost");
        }
        git.arg("--git-dir").arg(&self.repository).args(arguments);
        git
    }

    async fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Ended, RecordError> {
        let ended = run_with(&mut self.command(arguments), input).await;
        ended.map_err(|error| failed("run `git`", &error))
    }

    /// What a command prints, without the line's end; an error when it fails.
    async fn ask(&self, action: &str, arguments: &[&str], input: &[u8]) -> Result<String, RecordError> {
        let ended = self.run(arguments, input).await?;
        match ended.code {
            Some(0) => Ok(String::from_utf8_lossy(&ended.printed).trim_end().to_owned()),
            _ => Err(failed(action, &ended.said)),
        }
    }

    /// Makes the private repository, under another name first: several runs may do so at one time.
    async fn prepare(&self) -> Result<(), RecordError> {
        if self.repository.is_dir() {
            return Ok(());
        }
        let action = "make a repository for records";
        let made = || {
            let folder = folder_of(&self.repository);
            std::fs::create_dir_all(folder)?;
            tempfile::Builder::new().prefix("records-").tempdir_in(folder)
        };
        let made = made().map_err(|error| failed(action, &error))?;
        let folder = made.path().to_string_lossy().into_owned();
        self.ask(action, &["init", "--quiet", "--bare", &folder], b"").await?;
        match std::fs::rename(made.path(), &self.repository) {
            Err(error) if !self.repository.is_dir() => Err(failed(action, &error)),
            _ => Ok(()),
        }
    }

    /// The references of the remote that a pattern matches, with their commits.
    async fn list(&self, pattern: &str) -> Result<Vec<(String, String)>, RecordError> {
        let action = format!("ask `{}` for `{pattern}`", self.shown);
        let text = self.ask(&action, &["ls-remote", "--quiet", "--", &self.remote, pattern], b"").await?;
        let line = |line: &str| {
            let (commit, name) = line.split_once('\t')?;
            Some((name.to_owned(), commit.to_owned()))
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// The commit that a reference of the remote names; none where there is no such reference.
    async fn commit_of(&self, name: &str) -> Result<Option<String>, RecordError> {
        let found = self.list(name).await?.into_iter().find(|(found, _)| found == name);
        Ok(found.map(|(_, commit)| commit))
    }

    async fn read(&self, address: &Address) -> Result<Document, RecordError> {
        let Some(name) = name(address) else { return Ok(Document::of(None)) };
        self.prepare().await?;
        let Some(mut commit) = self.commit_of(&name).await? else { return Ok(Document::of(None)) };
        if self.run(&["cat-file", "-e", &commit], b"").await?.code != Some(0) {
            let refspec = format!("+{name}:{name}");
            let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", "--"];
            let action = format!("fetch `{name}` from `{}`", self.shown);
            self.ask(&action, &[&fetch[..], &[&self.remote, &refspec]].concat(), b"").await?;
            // Another run may have pushed since.
            commit = self.ask(&action, &["rev-parse", "--verify", "--quiet", &name], b"").await?;
        }
        let content = self.content(&commit).await?;
        if content.len() > address.part.size_limit() {
            let (place, reason) = (self.place(address), "it is larger than 8 MiB".to_owned());
            return Err(RecordError::Damaged { place, reason });
        }
        Ok(Document::tagged(content, commit))
    }

    async fn content(&self, commit: &str) -> Result<Vec<u8>, RecordError> {
        let ended = self.run(&["cat-file", "blob", &format!("{commit}:{FILE}")], b"").await?;
        if ended.code == Some(0) { Ok(ended.printed) } else { Err(failed("read a record", &ended.said)) }
    }

    async fn push(&self, address: &Address, content: &[u8], read: &Revision) -> Result<Put, RecordError> {
        let name = name(address).ok_or_else(|| failed("write a record", &"it is of the version before"))?;
        self.prepare().await?;
        let commit = self.commit(content, read.tag()).await?;
        let lease = format!("--force-with-lease={name}:{}", read.tag().unwrap_or_default());
        let refspec = format!("{commit}:{name}");
        let push = ["push", "--quiet", "--no-verify", &lease, "--", &self.remote, &refspec];
        let ended = self.run(&push, b"").await?;
        if ended.code == Some(0) {
            return Ok(Put::Done(Revision::tagged(commit)));
        }
        // What the remote has now tells more than the many ways in which git and its servers say that it was changed.
        match self.commit_of(&name).await? {
            Some(stored) if stored == commit => Ok(Put::Done(Revision::tagged(commit))),
            stored if stored.as_deref() != read.tag() => Ok(Put::Changed),
            _ => Err(failed(&format!("push `{name}` to `{}`", self.shown), &ended.said)),
        }
    }

    /// A commit with this content after the commit that was read, or in its place where no deployment changes.
    async fn commit(&self, content: &[u8], read: Option<&str>) -> Result<String, RecordError> {
        let action = "make the commit of a record";
        let blob = self.ask(action, &["hash-object", "-w", "--stdin"], content).await?;
        let tree = self.ask(action, &["mktree"], format!("100644 blob {blob}\t{FILE}\n").as_bytes()).await?;
        let parents = match read {
            None => String::new(),
            Some(read) if deployments(content) != deployments(&self.content(read).await?) => read.to_owned(),
            Some(read) => self.ask(action, &["rev-parse", &format!("{read}^@")], b"").await?,
        };
        let parents = parents.lines().flat_map(|parent| ["-p", parent]);
        let arguments: Vec<&str> = ["commit-tree", &tree].into_iter().chain(parents).collect();
        self.ask(action, &arguments, b"dtbuild: what an environment runs\n").await
    }

    async fn try_pushing(&self) -> Result<(), RecordError> {
        self.prepare().await?;
        let commit = self.commit(b"", None).await?;
        let refspec = format!("{commit}:refs/dtbuild/_writable");
        let push = ["push", "--quiet", "--dry-run", "--no-verify", "--force", "--", &self.remote, &refspec];
        self.ask(&format!("push to `{}`", self.shown), &push, b"").await.map(drop)
    }
}

/// The name of a document's reference; none for what versions before kept elsewhere.
fn name(Address { project, environment, part }: &Address) -> Option<String> {
    match part {
        Part::Record => Some(format!("refs/dtbuild/{project}/{environment}")),
        Part::Past(generation) => Some(format!("{}{generation}", past_prefix(project, environment))),
        Part::Older => None,
    }
}

/// The beginning of the names of past deployments. No environment's name begins with `_`.
fn past_prefix(project: &str, environment: &EnvironmentName) -> String {
    format!("refs/dtbuild/{project}/_{environment}/")
}

/// The deployments of a record; null for any other content.
fn deployments(content: &[u8]) -> Value {
    let record = serde_json::from_slice::<Value>(content).unwrap_or_default();
    record.get("deployments").cloned().unwrap_or_default()
}

impl Storage for GitStorage {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        Box::pin(self.try_pushing())
    }

    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>> {
        Box::pin(self.read(address))
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        content: &'a [u8],
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        Box::pin(self.push(address, content, read))
    }

    fn past<'a>(
        &'a self,
        project: &'a str,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<u64>, RecordError>> {
        Box::pin(async move {
            self.prepare().await?;
            let prefix = past_prefix(project, environment);
            let found = self.list(&format!("{prefix}*")).await?;
            Ok(found.iter().filter_map(|(name, _)| name.strip_prefix(&prefix)?.parse().ok()).collect())
        })
    }

    fn place(&self, address: &Address) -> String {
        format!("{} of {}", name(address).unwrap_or_default(), self.shown)
    }
}
