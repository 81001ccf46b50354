//! What reads a file, or why nothing does.

use schemars::JsonSchema;
use serde::Serialize;

/// What makes a file an input of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reader {
    /// An instruction of the Dockerfile.
    Instruction {
        /// The Dockerfile.
        file: String,
        /// The line.
        line: usize,
        /// The instruction, shortened.
        instruction: String,
    },
    /// The file is the Dockerfile.
    Dockerfile,
    /// The file says what of the context is ignored.
    IgnoreFile,
    /// The image's `paths` in `build.toml`.
    Paths,
    /// All of a context counts: the Dockerfile copies it, stands on it, or cannot be told to read less.
    Context {
        /// The context's name; none for the main one.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Why a file is no input of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Unread {
    /// It is not in the image's context.
    Outside {
        /// The context's folder.
        context: String,
    },
    /// `.dockerignore` keeps it out.
    Ignored {
        /// The ignore file.
        file: String,
        /// The line that matches, from 1.
        line: Option<usize>,
    },
    /// The image's `ignore` in `build.toml` says that it is not to cause a rebuild.
    Declared,
    /// No instruction copies or mounts it.
    NotCopied,
}
