//! Why a deployment did not happen: [`DeployError`].

use std::path::PathBuf;

use crate::config::ImageName;
use crate::error::{Code, Failure};

/// Why a release was not brought to its environment.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The program is not there.
    #[error("cannot deploy: there is no program `{program}`")]
    NoProgram {
        /// The program.
        program: String,
        /// What to do.
        hint: &'static str,
    },
    /// The program is there, but cannot be run.
    #[error("cannot deploy: `{program}` {reason}")]
    NotRunnable {
        /// The program.
        program: String,
        /// Why it cannot be run, such as `is not executable`.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A file that the deployment needs is not there.
    #[error("cannot deploy: the {what} `{path}` does not exist", path = path.display())]
    NoFile {
        /// What it is.
        what: &'static str,
        /// Its path from the repository's root.
        path: PathBuf,
    },
    /// A command without a program.
    #[error("cannot deploy: the command is empty")]
    EmptyCommand,
    /// Two images would be told by the same variable.
    #[error("cannot deploy: images `{first}` and `{second}` would both be `{variable}`")]
    SameVariable {
        /// An image.
        first: ImageName,
        /// Another image.
        second: ImageName,
        /// The variable.
        variable: String,
    },
    /// An image that a deployment could not rely on: its tag may move.
    #[error("cannot deploy: image `{image}` is not pinned by digest: `{reference}`")]
    NotPinned {
        /// The image.
        image: ImageName,
        /// What names it.
        reference: crate::reference::Reference,
    },
    /// The program could not be run, or not be told the release.
    #[error("cannot deploy: failed to {action}: {source}")]
    Io {
        /// What was to be done.
        action: String,
        /// Why it was not.
        source: std::io::Error,
    },
    /// The program ran and failed.
    #[error("the deployment failed: `{program}` {end}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended: `ended with exit code 2`, or `was ended by signal 9`.
        end: String,
        /// The last lines that it printed, at most 20. Not part of the message, which is recorded: a program
        /// may print what should not be.
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
            Self::Io { .. } | Self::Failed { .. } => Code::DeployFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoProgram { hint, .. } => hint,
            Self::NotRunnable { hint, .. } => hint.as_str(),
            Self::NoFile { .. } => "correct the path in `build.toml`",
            Self::EmptyCommand => "name a program in `build.toml`",
            Self::SameVariable { .. } => "rename one of them",
            Self::Failed { .. } => "see what it printed",
            Self::NotPinned { .. } | Self::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
