//! Programs that deploy: a [`Program`] is run from an argument vector, its output becomes events, and it is ended with
//! everything that it started.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::Instant;

use super::release::ReleaseFiles;
use super::{DeployError, Deployment, Guard};
use crate::events::{Event, EventSink};
use crate::inert;
use crate::process::child::Running;
use crate::process::supervisor::Supervision;

/// The longest time that the program's output may stay open after the program ended: a process that the program
/// left behind may hold the output for ever.
const DRAIN: Duration = Duration::from_secs(1);

/// The number of last lines that the error of a failed program repeats.
const LAST_LINES: usize = 20;

/// The longest line, in bytes; the rest of a longer line is left out.
const LINE_LIMIT: usize = 4096;

/// A program with its arguments and the changes of its environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    /// The program's name, as the user wrote it.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) variables: BTreeMap<String, OsString>,
    pub(super) removed: Vec<&'static str>,
}

impl Program {
    /// Runs the program to its end. The program gets the release by variables and by `files`.
    pub(super) async fn deploy(
        mut self,
        deployment: Deployment<'_>,
        files: &ReleaseFiles,
    ) -> Result<(), DeployError> {
        let release = deployment.release;
        if release.commit.is_none() {
            // A `DTBUILD_COMMIT` in dtbuild's own environment would name another commit.
            self.removed.push("DTBUILD_COMMIT");
        }
        self.variables.extend(release.variables()?);
        self.variables.insert("DTBUILD_GENERATION".to_owned(), deployment.generation.to_string().into());
        self.variables.insert("DTBUILD_RELEASE".to_owned(), files.release().into_os_string());
        run(&self, deployment).await
    }

    /// The command that runs the program, in its supervisor where the deployment has a guard.
    fn command(&self, deployment: &Deployment<'_>) -> Command {
        let mut command = match deployment.guard {
            None => {
                let mut command = Command::new(&self.path);
                command.args(&self.args).stdin(Stdio::null());
                command
            }
            Some(guard) => {
                let (program, args) = (self.path.clone(), self.args.clone());
                let Guard { supervisor, lock, patience, renewals: _ } = guard.clone();
                Supervision { program, args, lock, patience }.command(&supervisor)
            }
        };
        for variable in &self.removed {
            command.env_remove(variable);
        }
        command.envs(&self.variables).current_dir(deployment.root);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

async fn run(program: &Program, deployment: Deployment<'_>) -> Result<(), DeployError> {
    let failed = |action: &str| {
        let action = format!("{action} `{}`", program.name);
        move |source| DeployError::Io { action, source }
    };
    let mut command = program.command(&deployment);
    let running = match deployment.guard {
        Some(_) => Running::supervisor(&mut command),
        None => Running::start(&mut command),
    };
    let mut running = running.map_err(failed("run"))?;
    // The supervisor's pipe: it closes with this run.
    let pipe = running.child.stdin.take();
    let renewals = pass_on_renewals(pipe.zip(deployment.guard.map(|guard| guard.renewals.clone())));
    let mut log = Log { events: deployment.events, last: VecDeque::new() };
    let ended = tokio::select! {
        status = listen(&mut running, &mut log) => Some(status),
        () = tokio::time::sleep(deployment.timeout) => None,
        never = renewals => match never {},
    };
    let Some(status) = ended else {
        let (program, limit) = (program.name.clone(), deployment.timeout);
        return Err(DeployError::TooLong { program, limit, log: log.last.into() });
    };
    let status = status.map_err(failed("wait for"))?;
    if status.success() {
        return Ok(());
    }
    // Only the supervisor itself can have been ended by a signal: it tells of its program's end by an exit code.
    let end = match (deployment.guard, status.signal()) {
        (Some(_), Some(signal)) => {
            format!("may go on: its supervisor was ended by signal {signal}; end what is left of it")
        }
        _ => describe(status),
    };
    Err(DeployError::Failed { program: program.name.clone(), end, log: log.last.into() })
}

/// Tells the supervisor of each renewal of the lease, as long as there are any. The pipe stays open: its end would end the
/// program.
async fn pass_on_renewals(mut pipe: Option<(ChildStdin, watch::Receiver<()>)>) -> Infallible {
    if let Some((pipe, renewals)) = &mut pipe {
        // A supervisor that has ended hears nothing more.
        while renewals.changed().await.is_ok() && pipe.write_all(b".").await.is_ok() {}
    }
    std::future::pending().await
}

/// Passes on each line that the program prints, until the program has ended.
async fn listen(running: &mut Running, log: &mut Log<'_>) -> std::io::Result<ExitStatus> {
    let mut stdout = Lines::new(running.child.stdout.take());
    let mut stderr = Lines::new(running.child.stderr.take());
    let mut ended = None;
    let mut patience = Instant::now();
    while ended.is_none() || stdout.is_open() || stderr.is_open() {
        let line = tokio::select! {
            line = stdout.next(), if stdout.is_open() => line,
            line = stderr.next(), if stderr.is_open() => line,
            status = running.wait(), if ended.is_none() => {
                ended = Some(status?);
                patience = Instant::now() + DRAIN;
                None
            }
            () = tokio::time::sleep_until(patience), if ended.is_some() => break,
        };
        if let Some(line) = line {
            log.add(line);
        }
    }
    match ended {
        Some(status) => Ok(status),
        None => running.wait().await,
    }
}

/// The log of a program: each line goes to the events, and the last lines are kept.
struct Log<'a> {
    events: &'a EventSink,
    last: VecDeque<String>,
}

impl Log<'_> {
    fn add(&mut self, line: String) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        self.events.send(Event::DeployLog { line });
    }
}

/// The lines of a stream. The length of a line is bounded, whatever the program prints; [`Lines::next`] may be
/// cancelled without a loss.
struct Lines<R> {
    stream: Option<BufReader<R>>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: Option<R>) -> Self {
        Self { stream: stream.map(BufReader::new), line: Vec::new() }
    }

    fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// The next line; none when the stream has ended.
    async fn next(&mut self) -> Option<String> {
        while let Some(stream) = &mut self.stream {
            let read = stream.fill_buf().await.unwrap_or_default();
            if read.is_empty() {
                self.stream = None;
                break;
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            let room = LINE_LIMIT.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(&part[..room]);
            let count = part.len() + usize::from(end.is_some());
            stream.consume(count);
            if end.is_some() {
                return Some(self.take());
            }
        }
        if self.line.is_empty() { None } else { Some(self.take()) }
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.line);
        inert::plain(&String::from_utf8_lossy(&bytes)).into_owned()
    }
}

/// The path of an executable program: a bare name is looked up on the `PATH`, a path is taken from the root.
pub(super) fn find(program: &Path, root: &Path) -> Option<PathBuf> {
    let runnable = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        // A relative path would be looked up from the folder that the program is to run in.
        return std::path::absolute(root.join(program)).ok().filter(runnable);
    }
    let path = std::env::var_os("PATH")?;
    // A relative folder would let the repository choose the program.
    let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.find_map(|folder| Some(folder.join(program)).filter(runnable))
}

fn describe(status: ExitStatus) -> String {
    // A supervisor reports a signal as shells do.
    let signal = status
        .signal()
        .or_else(|| status.code().map(|code| code - 128).filter(|signal| (1..65).contains(signal)));
    match (status.code(), signal) {
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_the_last_needs_no_end() {
        let text = [b"one\n".to_vec(), vec![b'x'; 3 * LINE_LIMIT], b"\nlast".to_vec()].concat();
        let mut lines = Lines::new(Some(&text[..]));
        assert_eq!(lines.next().await.unwrap(), "one");
        assert_eq!(lines.next().await.unwrap().len(), LINE_LIMIT);
        assert_eq!(lines.next().await.unwrap(), "last");
        assert!(lines.next().await.is_none() && !lines.is_open());
    }
}
