//! The readers of a file, and the reasons why a file has none. Start with [`Reader`].

use schemars::JsonSchema;
use serde::Serialize;

/// The part of an image that makes a file an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reader {
    /// An instruction of the Dockerfile.
    Instruction {
        /// The Dockerfile's path.
        file: String,
        /// The line of the instruction, from 1.
        line: usize,
        /// The instruction, shortened.
        instruction: String,
    },
    /// The file is the Dockerfile.
    Dockerfile,
    /// The file is the ignore file of a context.
    IgnoreFile,
    /// The image's `paths` in `build.toml`.
    Paths,
    /// A whole context: the Dockerfile copies all of it, is built on it, or does not tell that it reads less.
    Context {
        /// The context's name; none for the main context.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// The reason why a file is no input of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Unread {
    /// The file is outside of the image's context.
    Outside {
        /// The path of the context's folder.
        context: String,
    },
    /// The file is excluded by `.dockerignore`.
    Ignored {
        /// The path of the ignore file.
        file: String,
        /// The line that matches, from 1.
        line: Option<usize>,
    },
    /// The file matches the image's `ignore` in `build.toml`, and so is not to cause a rebuild.
    Declared,
    /// The file is neither copied nor mounted by any instruction.
    NotCopied,
}
