//! The stored form of a lease, and the lease's owner. Start with [`LeaseDocument`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::config::EnvironmentName;
use crate::random;
use crate::record::RecordError;
use crate::record::storage::Address;

/// The version of the lease's format.
const VERSION: u32 = 1;

/// The largest lease that is read, in bytes.
const SIZE_LIMIT: usize = 64 * 1024;

/// The artifact type of a lease at a registry.
const MEDIA_TYPE: &str = "application/vnd.dtbuild.lease.v1+json";

/// The process that holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name of the process's machine.
    pub host: String,
    /// The id of the process.
    pub pid: u32,
    /// The running kernel and the process namespace: the pid has a meaning only within these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
}

/// A lease in the form in which it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseDocument {
    version: u32,
    pub(super) environment: EnvironmentName,
    token: String,
    owner: Owner,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) until: OffsetDateTime,
}

impl LeaseDocument {
    /// A new lease of this process, which begins now and lasts for `life`.
    pub(super) fn new(environment: EnvironmentName, life: Duration) -> Self {
        let now = OffsetDateTime::now_utc();
        let owner = Owner::this_process();
        Self { version: VERSION, environment, token: random::id(), owner, since: now, until: now + life }
    }

    /// The address of the lease on an environment. No environment's name begins with `_`, so no record has the
    /// address of a lease.
    pub(super) fn address(environment: &EnvironmentName) -> Address {
        Address::new("_lease.", environment, MEDIA_TYPE, SIZE_LIMIT)
    }

    /// This lease, with its end at `life` from now.
    pub(super) fn lasting(&self, life: Duration) -> Self {
        Self { until: OffsetDateTime::now_utc() + life, ..self.clone() }
    }

    /// True if the lease's owner may be at work: the lease has not ended, and the owner is not known to be
    /// gone.
    pub(super) fn is_live(&self) -> bool {
        OffsetDateTime::now_utc() < self.until && !self.owner.is_gone()
    }

    /// True if both documents are states of one taking of the lease: a renewal changes only the lease's end.
    pub(super) fn is_taking(&self, other: &Self) -> bool {
        self.token == other.token
    }

    pub(super) fn lost(&self) -> RecordError {
        RecordError::LeaseLost { environment: self.environment.clone() }
    }

    pub(super) fn held(self) -> RecordError {
        let Self { environment, owner, since, until, .. } = self;
        RecordError::LeaseHeld { environment, owner, since, until }
    }

    pub(super) fn encode(&self, place: &str) -> Result<Vec<u8>, RecordError> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| RecordError::Damaged { place: place.to_owned(), reason: error.to_string() })
    }

    pub(super) fn decode(bytes: &[u8], place: &str) -> Result<Self, RecordError> {
        let damaged = |reason: String| RecordError::Damaged { place: place.to_owned(), reason };
        let document: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if document.version > VERSION {
            let (place, found) = (place.to_owned(), document.version.into());
            return Err(RecordError::Newer { place, found, known: VERSION });
        }
        let host = &document.owner.host;
        if host.len() > 255 || host.chars().any(char::is_control) {
            return Err(damaged("its owner's host is no name".to_owned()));
        }
        Ok(document)
    }
}

impl Owner {
    fn this_process() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host, pid: std::process::id(), kernel: kernel() }
    }

    /// True if the process is known to have ended: it ran on this very kernel, and the kernel has no such pid.
    fn is_gone(&self) -> bool {
        if self.kernel.is_none() || self.kernel != kernel() {
            return false;
        }
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {} on `{}`", self.pid, self.host)
    }
}

/// The id of this boot and the process namespace of this process; none where `/proc` does not tell them.
fn kernel() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure as _;

    fn document(life: Duration) -> LeaseDocument {
        LeaseDocument::new("staging".parse().unwrap(), life)
    }

    #[test]
    fn a_lease_lives_until_it_ends_or_its_process_does() {
        assert!(document(Duration::from_mins(1)).is_live());
        assert!(!document(Duration::ZERO).is_live());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let mut orphan = document(Duration::from_mins(1));
        orphan.owner.pid = child.id();
        child.wait().unwrap();
        assert!(!orphan.is_live());
        orphan.owner.kernel = Some("another".to_owned());
        assert!(orphan.is_live(), "a pid of another machine means nothing here");
    }

    #[test]
    fn a_held_lease_says_by_whom_since_when_and_until_when() {
        let mut held = document(Duration::from_mins(1));
        held.owner = Owner { host: "ci-7".to_owned(), pid: 42, kernel: None };
        held.since = OffsetDateTime::UNIX_EPOCH;
        held.until = OffsetDateTime::UNIX_EPOCH + Duration::from_mins(1);
        assert_eq!(
            held.held().advice(),
            "`staging` is being deployed by process 42 on `ci-7` since 1970-01-01T00:00:00Z; wait for it: its \
             lease ends at 1970-01-01T00:01:00Z unless it is renewed"
        );
    }
}
