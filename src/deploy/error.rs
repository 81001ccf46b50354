//! The errors of deployments: [`DeployError`].

use std::path::PathBuf;
use std::time::Duration;

use crate::config::ImageName;
use crate::error::{Code, Failure};

/// The reason why a release was not brought to its environment.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The program does not exist.
    #[error("cannot deploy: there is no program `{program}`")]
    NoProgram {
        /// The program, as the user names it.
        program: String,
        /// The advice on what to do.
        hint: &'static str,
    },
    /// The program exists, but cannot be run.
    #[error("cannot deploy: `{program}` {reason}")]
    NotRunnable {
        /// The program, as the user names it.
        program: String,
        /// The obstacle, such as `is not executable`.
        reason: String,
        /// The advice on what to do.
        hint: String,
    },
    /// A file that the deployment needs does not exist.
    #[error("cannot deploy: the {what} `{path}` does not exist", path = path.display())]
    NoFile {
        /// The file's role, such as `playbook`.
        what: &'static str,
        /// The file's path from the repository's root.
        path: PathBuf,
    },
    /// A command without a program.
    #[error("cannot deploy: the command is empty")]
    EmptyCommand,
    /// Two images would have the same variable.
    #[error("cannot deploy: images `{first}` and `{second}` would both be `{variable}`")]
    SameVariable {
        /// The first image.
        first: ImageName,
        /// The second image.
        second: ImageName,
        /// The variable of both images.
        variable: String,
    },
    /// An image is named by a tag, which may move, and not by a digest.
    #[error("cannot deploy: image `{image}` is not pinned by digest: `{reference}`")]
    NotPinned {
        /// The image's name.
        image: ImageName,
        /// The reference without a digest.
        reference: crate::reference::Reference,
    },
    /// The program could not be run, or the release could not be written for it.
    #[error("cannot deploy: failed to {action}: {source}")]
    Io {
        /// The action that failed, as it follows "failed to".
        action: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The program did not end in time, and was ended.
    #[error("the deployment failed: `{program}` did not end within {} seconds", .limit.as_secs())]
    TooLong {
        /// The program, as the user names it.
        program: String,
        /// The longest time that it may take.
        limit: Duration,
        /// The last lines that the program printed, at most 20.
        log: Vec<String>,
    },
    /// The program ran and failed.
    #[error("the deployment failed: `{program}` {end}")]
    Failed {
        /// The program, as the user names it.
        program: String,
        /// The end of the program: `ended with exit code 2`, or `was ended by signal 9`.
        end: String,
        /// The last lines that the program printed, at most 20. The lines are no part of the message, because
        /// the message is recorded, and a program may print secrets.
        log: Vec<String>,
    },
}

impl Failure for DeployError {
    fn code(&self) -> Code {
        match self {
            Self::NoProgram { .. }
            | Self::NotRunnable { .. }
            | Self::NoFile { .. }
            | Self::EmptyCommand
            | Self::SameVariable { .. }
            | Self::NotPinned { .. } => Code::DeployInvalid,
            Self::Io { .. } | Self::TooLong { .. } | Self::Failed { .. } => Code::DeployFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoProgram { hint, .. } => hint,
            Self::NotRunnable { hint, .. } => hint.as_str(),
            Self::NoFile { .. } => "correct the path in `build.toml`",
            Self::EmptyCommand => "name a program in `build.toml`",
            Self::SameVariable { .. } => "rename one of them",
            Self::TooLong { .. } => {
                "see what it waits for, or raise `timeout` of the deployment in `build.toml`"
            }
            Self::Failed { .. } => "see what it printed",
            Self::NotPinned { .. } | Self::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
