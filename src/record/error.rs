//! Why a record or a lease could not be had: [`RecordError`].

use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Owner;
use crate::config::EnvironmentName;
use crate::error::{Code, Failure};

/// Why a record could not be read or written, or a lease not be had.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version of dtbuild wrote it.
    #[error("`{place}` has version {found} and this dtbuild reads up to {known}")]
    Newer {
        /// The file or the reference.
        place: String,
        /// The version there.
        found: u64,
        /// The version that this dtbuild writes.
        known: u32,
    },
    /// It is not what dtbuild writes.
    #[error("`{place}` is damaged: {reason}")]
    Damaged {
        /// The file or the reference.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder of the records is none, or cannot be written to.
    #[error("cannot keep records in `{folder}`: {source}", folder = folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// What the attempt said.
        source: std::io::Error,
    },
    /// A file could not be read or written.
    #[error("failed to {action}: {source}")]
    File {
        /// What was to be done with which file.
        action: String,
        /// Why it was not.
        source: std::io::Error,
    },
    /// Another run has written the record meanwhile.
    #[error("`{place}` was changed by another run meanwhile and is left as that run wrote it")]
    Conflict {
        /// The file or the reference.
        place: String,
    },
    /// Another run has the lease.
    #[error(
        "`{environment}` is being deployed by {owner} since {since}", since = show(*since)
    )]
    LeaseHeld {
        /// The environment.
        environment: EnvironmentName,
        /// Who has it.
        owner: Owner,
        /// Since when.
        since: OffsetDateTime,
        /// Until when, unless it is renewed.
        until: OffsetDateTime,
    },
    /// The lease ended and is no longer this run's.
    #[error("the lease on `{environment}` was lost to another run: nothing more is recorded")]
    LeaseLost {
        /// The environment.
        environment: EnvironmentName,
    },
    /// The server that keeps the records did not answer well.
    #[error("{0}")]
    Storage(Box<dyn Failure + Send + Sync>),
}

impl RecordError {
    /// Whether another run is at work on the environment: exit code 5.
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

/// A time as people read it: to the second.
fn show(at: OffsetDateTime) -> String {
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    seconds.format(&Rfc3339).unwrap_or_else(|_| seconds.to_string())
}

/// The error of a document of more bytes than are read.
pub(super) fn too_large(place: String, limit: usize) -> RecordError {
    RecordError::Damaged { place, reason: format!("it is larger than {} KiB", limit / 1024) }
}
