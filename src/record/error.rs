//! The errors of records and leases: [`RecordError`].

use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Holder;
use crate::config::EnvironmentName;
use crate::error::{Code, Failure};

/// The reason why a record could not be read or written, or a lease could not be taken or held.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version of dtbuild wrote the document.
    #[error("`{place}` has format {found} and this dtbuild reads up to {known}")]
    Newer {
        /// The document's file or reference.
        place: String,
        /// The document's format.
        found: u64,
        /// The format that this dtbuild writes.
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
    /// The record is another project's.
    #[error("`{place}` is the record of the project `{found}`, and this is `{expected}`")]
    OtherProject {
        /// The record's file or reference.
        place: String,
        /// The project that the record names.
        found: String,
        /// The project of `build.toml`.
        expected: String,
    },
    /// The folder of the records would come with a commit, or lead elsewhere.
    #[error("cannot keep records in `{folder}`: {reason}", folder = folder.display())]
    Untrusted {
        /// The folder's path.
        folder: PathBuf,
        /// The reason, such as `git tracks it`.
        reason: &'static str,
        /// The advice on what to do.
        hint: String,
    },
    /// Another run has the lease on the environment.
    #[error("`{environment}` is being deployed by {holder} since {since}", since = show(holder.since))]
    LeaseHeld {
        /// The environment's name.
        environment: EnvironmentName,
        /// The run that has the lease.
        holder: Box<Holder>,
    },
    /// The lease is another run's, or may be, because it was not renewed in time.
    #[error(
        "the lease on `{environment}` was lost: another run has it, or it was not renewed in time; nothing more is done"
    )]
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
            Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Unwritable { .. }
            | Self::Untrusted { .. }
            | Self::File { .. } => Code::RecordUnusable,
            Self::OtherProject { .. } => Code::RecordForeign,
            Self::LeaseHeld { .. } => Code::LeaseHeld,
            Self::LeaseLost { .. } => Code::LeaseLost,
            Self::Storage(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Storage(error) => return error.hint(),
            Self::File { .. } => return None,
            Self::LeaseHeld { environment, .. } => {
                return Some(format!(
                    "wait for it with `--wait 10m`; if that run hangs, `dtbuild unlock {environment} --reason TEXT` takes \
                     its right away"
                ));
            }
            Self::Untrusted { hint, .. } => return Some(hint.clone()),
            Self::OtherProject { .. } => {
                "keep the records of each project in a place of their own: `[records]` in `build.toml`"
            }
            Self::Newer { .. } => "upgrade dtbuild",
            Self::Damaged { .. } => {
                "restore it, or remove it, and the next run deploys as if it was the first"
            }
            Self::Unwritable { .. } => {
                "make it a folder that you may write to, or set another one as `[records] folder` in `build.toml`"
            }
            Self::LeaseLost { .. } => "`dtbuild status` shows what runs and who deploys; run dtbuild again",
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
