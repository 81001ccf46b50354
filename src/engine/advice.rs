//! The codes of engine errors, and the hints to them. The hints to failed pushes are made in `refusal`.

use super::EngineError;
use crate::error::{Code, Failure};

impl Failure for EngineError {
    fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::Address { .. } => Code::EngineUnreachable,
            Self::Failed(_) => Code::BuildFailed,
            Self::Unsupported { .. } | Self::NotAllowed { .. } | Self::NoContexts { .. } => {
                Code::EngineUnsupported
            }
            Self::Secret { .. } | Self::SshAgent { .. } => Code::SecretMissing,
            Self::File { .. } | Self::Cache { .. } => Code::OutputUnwritable,
            Self::Context(_) => Code::ContextChanged,
            Self::Push { .. } => Code::PushFailed,
            Self::Silent { .. } | Self::Lost(_) => Code::EngineLost,
            Self::Defect(_) => Code::Defect,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some("is it running, and may you use it?".to_owned()),
            Self::Unsupported { hint, .. } | Self::NotAllowed { hint, .. } => Some(hint.clone()),
            Self::NoContexts { .. } => Some("use Docker 23 or newer, and no older `# syntax=`".to_owned()),
            Self::SshAgent { .. } => Some("start one with `ssh-agent` and add a key to it".to_owned()),
            Self::Push { hint, .. } => hint.clone(),
            Self::Silent { hint, .. } => Some(format!("{hint}, or raise `--silence-limit`")),
            Self::Defect(_) => Some("please report this, with the command that you ran".to_owned()),
            // The messages of these errors already say what to do, or only their reader can know.
            Self::Address { .. }
            | Self::Failed(_)
            | Self::Secret { .. }
            | Self::File { .. }
            | Self::Cache { .. }
            | Self::Context(_)
            | Self::Lost(_) => None,
        }
    }
}
