//! The errors of `build.toml` and `build.lock`, with their places: [`ConfigError`].

use std::fmt;

use bstr::ByteSlice;

use crate::error::{Code, Failure};
use crate::suggestion::nearest;

/// An error in a configuration file: one message, the place, and a hint.
#[derive(Debug)]
pub struct ConfigError {
    /// The file's name as the user knows it.
    pub file: String,
    /// The line of the mistake, from 1; none when the error has no place.
    pub line: Option<usize>,
    /// The description of the mistake.
    pub message: String,
    /// The advice on how to correct the mistake.
    pub hint: Option<String>,
}

impl ConfigError {
    /// An error on a line of `file`.
    pub(crate) fn on_line(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::new(file, message) }
    }

    /// An error in `file` without a place.
    pub(super) fn new(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: message.into(), hint: None }
    }

    /// This error, placed at a byte offset of the text with these lines.
    #[must_use]
    pub(super) fn at(mut self, lines: &Lines, offset: usize) -> Self {
        self.line = Some(lines.at(offset));
        self
    }

    /// This error, with advice on how to correct the mistake.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error that the TOML parser found, with a "did you mean" for a misspelt key.
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
        let this = Self::new(file, message.clone());
        let this = match error.span() {
            Some(span) => this.at(&Lines::of(text), span.start),
            None => this,
        };
        match meant(&message) {
            Some(word) => this.hint(format!("did you mean `{word}`?")),
            None => this,
        }
    }
}

/// The line ends of a text. The line of an offset is found without reading the text again.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(text.as_bytes().find_iter(b"\n").collect())
    }

    /// The line, from 1, of a byte offset.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// The expected word nearest to the unknown word, out of a message of serde's such as
/// "unknown field `contex`, expected one of `context`, `dockerfile`".
fn meant(message: &str) -> Option<&str> {
    let (unknown, expected) = message.split_once(", expected ")?;
    let unknown = unknown.strip_prefix("unknown ")?.split('`').nth(1)?;
    nearest(unknown, expected.split('`').skip(1).step_by(2))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

impl Failure for ConfigError {
    fn code(&self) -> Code {
        Code::ConfigInvalid
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_line_feed() {
        let lines_of =
            |text: &str| (0..=text.len()).map(|offset| Lines::of(text).at(offset)).collect::<Vec<_>>();
        assert_eq!(lines_of(""), [1]);
        assert_eq!(lines_of("\n\n"), [1, 2, 3]);
        assert_eq!(lines_of("a\nbc\n\nd"), [1, 1, 2, 2, 2, 3, 4, 4]);
    }
}
