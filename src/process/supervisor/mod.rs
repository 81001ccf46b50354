//! The supervisor: a process between a run and its trigger, which ends the trigger with its run, whatever ends the
//! run. Start with [`supervise`].
//!
//! The run holds the write end of a pipe, which is the supervisor's standard input, and writes a byte for each
//! renewal of its lease. The supervisor ends the trigger when the pipe closes (the run is dead), when no byte comes in
//! time (the run is stopped, or lost its lease), and when it is told to by a signal. As the subreaper of all that the
//! trigger starts, it also finds the processes that left the trigger's process group (on Linux).
//!
//! For as long as it lives, the supervisor holds a lock on a file. A later run waits for the lock before it does
//! anything: the trigger of a dead run changes nothing any more once the next run has begun.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::child::GRACE;
use super::since_boot;
use descendants::{adopt, end_all};

mod descendants;
mod lock;

pub(crate) use lock::wait_until_free;

/// The hidden command of the program that [`supervise`]s.
pub const COMMAND: &str = "supervise";

/// The pause between two looks at the clock.
const TICK: Duration = Duration::from_millis(500);

/// The program to supervise, and the bounds of its life.
#[derive(Clone, Debug)]
pub struct Supervision {
    /// The path of the program.
    pub program: PathBuf,
    /// The arguments of the program.
    pub args: Vec<OsString>,
    /// The file that is locked while the program runs; none where the machine has no folder for it.
    pub lock: Option<PathBuf>,
    /// The longest time between two renewals of the lease.
    pub patience: Duration,
}

impl Supervision {
    /// The command that supervises: `supervisor` is the program `dtbuild`.
    pub(crate) fn command(&self, supervisor: &Path) -> Command {
        let mut command = Command::new(supervisor);
        command.arg(COMMAND);
        if let Some(lock) = &self.lock {
            command.arg("--lock").arg(lock);
        }
        command.arg("--patience").arg(self.patience.as_millis().to_string());
        command.arg("--").arg(&self.program).args(&self.args).stdin(Stdio::piped());
        command
    }
}

/// Runs the program to its end, and returns its exit code; 128 and the signal's number for a program that a signal
/// ended. Processes that the program leaves running when it ends by itself are meant to stay.
///
/// # Errors
/// When the program cannot be started, or the lock cannot be taken.
pub async fn supervise(supervision: &Supervision) -> io::Result<u8> {
    // Ctrl-C in a terminal and the end of a session reach the run, which tells the supervisor by its pipe.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    adopt()?;
    let _lock = match supervision.lock.as_deref().map(lock::take) {
        Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
        // A machine that has no place for the file goes without: its runs wait for nobody.
        lock => lock.and_then(Result::ok),
    };
    let mut command = Command::new(&supervision.program);
    let mut trigger = command.args(&supervision.args).stdin(Stdio::null()).process_group(0).spawn()?;
    let mut run = std::pin::pin!(end_of_the_run(supervision.patience));
    loop {
        tokio::select! {
            status = trigger.wait() => return Ok(code(status?)),
            () = &mut run => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    end_all(GRACE).await;
    Ok(code(trigger.wait().await?))
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Waits until the run is dead, or has not renewed its lease for `patience`.
async fn end_of_the_run(patience: Duration) {
    let (told, mut renewals) = tokio::sync::mpsc::channel(1);
    // A thread of its own: whatever the pipe is, reading it needs no more than a blocking read. The process ends
    // without waiting for the thread.
    std::thread::spawn(move || {
        let (mut pipe, mut bytes) = (io::stdin(), [0; 64]);
        while let Ok(1..) = pipe.read(&mut bytes) {
            if told.blocking_send(()).is_err() {
                return;
            }
        }
    });
    let (mut renewed, mut ticks) = (since_boot(), tokio::time::interval(TICK));
    loop {
        tokio::select! {
            renewal = renewals.recv() => match renewal {
                Some(()) => renewed = since_boot(),
                None => return,
            },
            _ = ticks.tick() => if since_boot().saturating_sub(renewed) >= patience {
                return;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ended_by_a_signal_has_the_code_that_shells_give_it() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }

    #[test]
    fn the_command_names_all_that_the_supervisor_needs() {
        let supervision = Supervision {
            program: "/bin/deploy".into(),
            args: vec!["--now".into()],
            lock: Some("/state/lock".into()),
            patience: Duration::from_secs(80),
        };
        let command = supervision.command(Path::new("/bin/dtbuild"));
        let args: Vec<_> = command.as_std().get_args().collect();
        assert_eq!(
            args,
            ["supervise", "--lock", "/state/lock", "--patience", "80000", "--", "/bin/deploy", "--now"]
        );
    }
}
