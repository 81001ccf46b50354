//! The run that holds a lease: [`Holder`].

use std::fmt;
use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::process::ProcessStat;

/// The run that holds the lease on an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name of the run's machine.
    pub host: String,
    /// The id of the run's process.
    pub pid: u32,
    /// The running kernel and the process namespace: the pid has a meaning only within these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    /// The start of the process, in clock ticks since the kernel's start: pids are given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<u64>,
    /// The time at which the lease was taken, by the clock of the run's machine: for people to read.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// The time of the last renewal, by the same clock.
    #[serde(with = "time::serde::rfc3339")]
    pub renewed: OffsetDateTime,
    /// The life of the lease after its last renewal, in milliseconds.
    life: u64,
}

impl Holder {
    /// This process, with a lease that begins now.
    pub(super) fn this_process(life: Duration, now: OffsetDateTime) -> Self {
        let pid = std::process::id();
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid,
            boot: boot(),
            started: ProcessStat::read(pid).ok().flatten().map(|process| process.started),
            since: now,
            renewed: now,
            life: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The life of the lease after its last renewal.
    pub(super) fn life(&self) -> Duration {
        Duration::from_millis(self.life)
    }

    /// True if the run is known to have ended: it ran on this very kernel, which has no such process any more.
    pub(super) fn is_gone(&self) -> bool {
        if self.boot.is_none() || self.boot != boot() {
            return false;
        }
        match ProcessStat::read(self.pid) {
            Ok(None) => true,
            Ok(Some(process)) => {
                process.ended || self.started.is_some_and(|started| started != process.started)
            }
            Err(_) => false,
        }
    }

    /// The fault of a holder that dtbuild does not write; none for a holder that it may have written.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_name = self.host.len() <= 255 && !self.host.chars().any(char::is_control);
        (!is_name).then_some("the host of the lease's holder is no name")
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {} on `{}`", self.pid, self.host)
    }
}

/// The id of this boot and the process namespace of this process; none where `/proc` does not tell them.
fn boot() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32) -> Holder {
        let mut holder = Holder::this_process(Duration::from_mins(1), OffsetDateTime::UNIX_EPOCH);
        holder.pid = pid;
        holder.started = ProcessStat::read(pid).unwrap().map(|process| process.started);
        holder
    }

    #[test]
    fn a_run_is_gone_when_its_process_is_also_as_a_zombie_or_under_a_pid_given_again() {
        assert!(!holder(std::process::id()).is_gone());
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let orphan = holder(child.id());
        assert!(!orphan.is_gone());
        drop(child.stdin.take());
        // Not waited for: its exit status is there, and the process is a zombie.
        let waited = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::waitid(rustix::process::WaitId::Pid(id), waited).unwrap();
        assert!(orphan.is_gone());
        child.wait().unwrap();
        assert!(orphan.is_gone());
        let again = Holder { started: Some(1), ..holder(std::process::id()) };
        assert!(again.is_gone(), "another process has its pid");
    }

    #[test]
    fn a_pid_of_another_machine_means_nothing_here() {
        let elsewhere = Holder { boot: Some("another".to_owned()), ..holder(u32::MAX) };
        assert!(!elsewhere.is_gone());
        assert!(!Holder { boot: None, ..elsewhere }.is_gone());
    }
}
