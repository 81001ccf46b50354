//! Failures as the user meets them: a kind with an exit code, a message, its causes, a hint.
//!
//! Modules have error types of their own; `commands/` turns them into an [`Error`].

use std::error::Error as StdError;
use std::fmt;

/// What kind of failure ended the program. The numbers are its exit codes and part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An image could not be built.
    Image = 1,
    /// The command line, `build.toml`, a Dockerfile or `build.lock` is wrong.
    Usage = 2,
    /// The engine, a registry, git or the record store is not usable.
    Environment = 3,
    /// The deployment failed.
    Deployment = 4,
    /// Somebody else deploys to the environment.
    LeaseHeld = 5,
    /// The user ended the run.
    Interrupted = 130,
}

/// A failure that ends the program.
#[derive(Debug)]
pub struct Error {
    /// What kind of failure.
    pub kind: Kind,
    /// What failed and why.
    pub message: String,
    /// What caused it, nearest first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// What commands return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with a message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// A failure made of an error and those below it. A cause whose text its parent repeats is left out.
    pub fn from_error(kind: Kind, error: &(dyn StdError + 'static)) -> Self {
        let mut this = Self::new(kind, error.to_string());
        let mut last = this.message.clone();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !last.contains(&text) {
                this.causes.push(text.clone());
                last = text;
            }
            source = cause.source();
        }
        this
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The program's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.kind as u8
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Error {}

impl From<crate::config::ConfigError> for Error {
    fn from(error: crate::config::ConfigError) -> Self {
        let this = Self::new(Kind::Usage, error.to_string());
        match error.hint {
            Some(hint) => this.hint(hint),
            None => this,
        }
    }
}

macro_rules! kinds {
    ($($kind:ident: $($error:ty),+;)+) => {$($(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::from_error(Kind::$kind, &error)
            }
        }
    )+)+};
}

kinds! {
    Usage: crate::plan::PlanError, crate::plan::graph::Cycle, crate::reference::ReferenceError;
    Environment: crate::engine::EngineError, crate::git::GitError;
}

impl From<crate::registry::RegistryError> for Error {
    fn from(error: crate::registry::RegistryError) -> Self {
        Self { hint: error.hint(), ..Self::from_error(Kind::Environment, &error) }
    }
}

impl From<crate::deploy::DeployError> for Error {
    fn from(error: crate::deploy::DeployError) -> Self {
        Self { hint: error.hint(), ..Self::from_error(Kind::Deployment, &error) }
    }
}

impl From<crate::record::RecordError> for Error {
    fn from(error: crate::record::RecordError) -> Self {
        let kind = if error.is_lease() { Kind::LeaseHeld } else { Kind::Environment };
        let hint = match &error {
            crate::record::RecordError::Registry(error) => error.hint(),
            _ => None,
        };
        Self { hint, ..Self::from_error(kind, &error) }
    }
}
