//! Child programs, run with all the processes that they start. Start with [`Running`].

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};

/// The longest time that a program may take to end itself once it is told to.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// A running program with its process group. A drop before the program's end ends all processes of the group: first
/// gently (SIGTERM), after five seconds for good (SIGKILL).
pub(crate) struct Running {
    pub(crate) child: Child,
    group: Option<Pid>,
    grace: Duration,
}

impl Running {
    /// Starts a program in a process group of its own.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, group, grace: GRACE })
    }

    /// Starts a supervisor, which ends its own program when it is told to end, and needs the time for it.
    pub(crate) fn supervisor(command: &mut Command) -> io::Result<Self> {
        let mut running = Self::start(command)?;
        // It gives its own program the same time.
        running.grace = GRACE * 2;
        Ok(running)
    }

    /// Waits for the program's end. Processes that the program leaves running when it ends by itself are meant to
    /// stay.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.group = None;
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let end = Instant::now() + self.grace;
        while Instant::now() < end {
            // The leader counts as running until its exit status has been asked for.
            let _ = self.child.try_wait();
            if test_kill_process_group(group).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = kill_process_group(group, Signal::KILL);
    }
}
