//! Failures as the user meets them: a code, a message, the causes, a hint. Start with [`Error`].
//!
//! Modules have error types of their own. Each error type implements [`Failure`], which gives the code and the hint,
//! and so converts into an [`Error`].

use std::error::Error as StdError;
use std::fmt;

mod code;

pub use code::Code;

/// The kinds of failure. The numbers are the program's exit codes, which are part of the interface.
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
    /// Somebody else deploys to the environment, or it is on hold.
    LeaseHeld = 5,
    /// The user ended the run.
    Interrupted = 130,
}

/// A failure that ends the program.
#[derive(Debug)]
pub struct Error {
    /// The name of the failure for programs.
    pub code: Code,
    /// The message: the failure and its reason.
    pub message: String,
    /// The texts of the errors that caused the failure, nearest first.
    pub causes: Vec<String>,
    /// The hint: the way out.
    pub hint: Option<String>,
}

/// The result of a function whose failure ends the program.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a module, with the code that a program needs and the hint that a user needs besides the message.
pub trait Failure: StdError + 'static {
    /// The name of the failure for programs.
    fn code(&self) -> Code;

    /// The hint: the way out, which is not part of the message.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The message and the hint in one text, for places with room for one text.
    fn advice(&self) -> String {
        joined(&self.to_string(), self.hint().as_deref())
    }
}

impl Error {
    /// A failure with a message. A [`Kind`] stands for the general code of that kind.
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), causes: Vec::new(), hint: None }
    }

    /// The failure with a further hint, on a line below an earlier hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.hint = Some(match self.hint {
            Some(earlier) => format!("{earlier}\n{hint}"),
            None => hint,
        });
        self
    }

    /// The message and the hint in one text, for places with room for one text.
    #[must_use]
    pub fn advice(&self) -> String {
        joined(&self.message, self.hint.as_deref())
    }

    /// The program's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.code.kind() as u8
    }
}

fn joined(message: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| message.to_owned(), |hint| format!("{message}; {hint}"))
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Error {}

/// Converts a module's failure; its sources become the causes. A source whose text its parent repeats is left out.
impl<E: Failure> From<E> for Error {
    fn from(error: E) -> Self {
        let mut this = Self { hint: error.hint(), ..Self::new(error.code(), error.to_string()) };
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("cannot read `a`: {0}")]
        Repeating(#[source] std::io::Error),
        #[error("cannot read `a`")]
        Silent(#[source] std::io::Error),
    }

    impl Failure for Sample {
        fn code(&self) -> Code {
            Code::FileUnreadable
        }

        fn hint(&self) -> Option<String> {
            matches!(self, Self::Silent(_)).then(|| "make it readable".to_owned())
        }
    }

    fn denied() -> std::io::Error {
        std::io::Error::other("denied")
    }

    #[test]
    fn an_error_takes_code_causes_and_hint_from_the_failure_of_a_module() {
        let error = Error::from(Sample::Silent(denied()));
        assert_eq!((error.code, error.exit_code()), (Code::FileUnreadable, 3));
        assert_eq!(
            (error.message.as_str(), error.hint.as_deref()),
            ("cannot read `a`", Some("make it readable"))
        );
        assert_eq!(error.causes, ["denied"]);
        assert_eq!(error.advice(), "cannot read `a`; make it readable");
        assert_eq!(Sample::Silent(denied()).advice(), error.advice());
    }

    #[test]
    fn a_cause_that_the_message_repeats_is_left_out() {
        let error = Error::from(Sample::Repeating(denied()));
        assert_eq!((error.causes, error.hint), (Vec::new(), None));
    }
}
