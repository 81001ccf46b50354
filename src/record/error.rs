//! The errors of records and leases: [`RecordError`].

use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Owner;
use crate::config::EnvironmentName;
use crate::error::{Code, Failure};

/// The reason why a record could not be read or written, or a lease could not be taken or held.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version of dtbuild wrote the document.
    #[error("`{place}` has version {found} and this dtbuild reads up to {known}")]
    Newer {
        /// The document's file or reference.
        place: String,
        /// The version of the document's format.
        found: u64,
        /// The version that this dtbuild writes.
        known: u32,
    },
    /// The document is not one that dtbuild writes.
    #[error("`{place}` is damaged: {reason}")]
    Damaged {
        /// The document's file or reference.
        place: String,
        /// The description of the damage.
        reason: String,
    },
    /// The path of the records' folder is no folder, or the folder cannot be written to.
    #[error("cannot keep records in `{folder}`: {source}", folder = folder.display())]
    Unwritable {
        /// The folder's path.
        folder: PathBuf,
        /// The error of the attempt to write.
        source: std::io::Error,
    },
    /// A file of the records could not be used, such as read or written.
    #[error("failed to {action}: {source}")]
    File {
        /// The action that failed, with the file, as it follows "failed to".
        action: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Another run has written the record since this run read it.
    #[error("`{place}` was changed by another run meanwhile and is left as that run wrote it")]
    Conflict {
        /// The record's file or reference.
        place: String,
    },
    /// Another run has the lease on the environment.
    #[error(
        "`{environment}` is being deployed by {owner} since {since}", since = show(*since)
    )]
    LeaseHeld {
        /// The environment's name.
        environment: EnvironmentName,
        /// The process that has the lease.
        owner: Owner,
        /// The time at which the lease was taken.
        since: OffsetDateTime,
        /// The time at which the lease ends, unless it is renewed.
        until: OffsetDateTime,
    },
    /// The lease ended and is no longer this run's lease.
    #[error("the lease on `{environment}` was lost to another run: nothing more is recorded")]
    LeaseLost {
        /// The environment's name.
        environment: EnvironmentName,
    },
    /// The server that keeps the records failed.
    #[error("{0}")]
    Storage(Box<dyn Failure + Send + Sync>),
}

impl RecordError {
    /// True if another run is at work on the environment: exit code 5.
    #[must_use]
    pub fn is_lease(&self) -> bool {
        matches!(self, Self::LeaseHeld { .. } | Self::LeaseLost { .. })
    }
}

impl Failure for RecordError {
    fn code(&self) -> Code {
        match self {
            Self::Newer { .. } | Self::Damaged { .. } | Self::Unwritable { .. } | Self::File { .. } => {
                Code::RecordUnusable
            }
            Self::Conflict { .. } => Code::RecordConflict,
            Self::LeaseHeld { .. } => Code::LeaseHeld,
            Self::LeaseLost { .. } => Code::LeaseLost,
            Self::Storage(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Storage(error) => return error.hint(),
            Self::File { .. } => return None,
            Self::LeaseHeld { until, .. } => {
                return Some(format!("wait for it: its lease ends at {} unless it is renewed", show(*until)));
            }
            Self::Newer { .. } => "upgrade dtbuild",
            Self::Damaged { .. } => {
                "restore it, or remove it, and the next run deploys as if it was the first"
            }
            Self::Unwritable { .. } => {
                "make it a folder that you may write to, or set another one as `[records] folder` in `build.toml`"
            }
            Self::Conflict { .. } => "run dtbuild again",
            Self::LeaseLost { .. } => "see what that run did",
        };
        Some(hint.to_owned())
    }
}

/// The text of a time for people, to the second.
fn show(at: OffsetDateTime) -> String {
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    seconds.format(&Rfc3339).unwrap_or_else(|_| seconds.to_string())
}

/// The error of a document that is larger than `limit`, in bytes.
pub(super) fn too_large(place: String, limit: usize) -> RecordError {
    RecordError::Damaged { place, reason: format!("it is larger than {} KiB", limit / 1024) }
}
