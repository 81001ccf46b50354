//! The values that words are read with, and what comes of them. Start with [`Text`].
//!
//! A name that only an image from elsewhere could have set is [`Variable::Unknown`], and makes the text that
//! needs it unknown: never empty, as a shell would have it, because that would be a guess at the inputs.

use super::frontend::Frontend;

/// How a word is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The file's escape character.
    pub escape: char,
    /// Keeps quotes in the result.
    pub raw_quotes: bool,
    /// Keeps escapes in the result.
    pub raw_escapes: bool,
    /// Keeps variables that are not set as they are written.
    pub keep_unset: bool,
    /// The modifiers that there are.
    pub frontend: Frontend,
}

impl Rules {
    /// The rules for the words of instructions.
    pub(crate) fn expanding(escape: char) -> Self {
        let frontend = Frontend::default();
        Self { escape, raw_quotes: false, raw_escapes: false, keep_unset: false, frontend }
    }
}

/// A text of which a part may not be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// The text, as far as it is known.
    pub value: String,
    /// The variable whose value is not known, if the text needs one.
    pub unknown: Option<String>,
}

impl Text {
    pub(crate) fn known(value: impl Into<String>) -> Self {
        Self { value: value.into(), unknown: None }
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.value.push_str(&other.value);
        self.unknown = self.unknown.take().or(other.unknown);
    }
}

/// What a variable's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// It has a value.
    Set(String),
    /// It has none.
    Unset,
    /// It may have one that this file does not tell.
    Unknown,
}

/// What answers for variables.
pub(crate) type Lookup<'a> = &'a mut dyn FnMut(&str) -> Variable;

/// A word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quote or a brace that is opened and not closed.
    #[error("a closing `{0}` is missing; quote it if it is meant literally")]
    Unterminated(char),
    /// Not a substitution.
    #[error("`${{{0}` is not a substitution; write `${{name}}`, or `\\$` for a dollar")]
    Substitution(String),
    /// A modifier that the language does not have.
    #[error("`{0}` is not a modifier of a substitution; the language has `-`, `+`, `?`, `#`, `%` and `/`")]
    Modifier(String),
    /// An escape that a pattern cannot have.
    #[error("`{0}` is not an escape of a pattern; only `*`, `?`, `\\`, `}}` and `/` are escaped")]
    Pattern(String),
    /// A variable that the word requires, by `?`.
    #[error("`{name}` {message}; give it with a build argument")]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// Substitutions within substitutions, too many.
    #[error("substitutions are nested more than {MOST_NESTED} times")]
    Nested,
}

/// Bounds the recursion; nobody writes more than three.
pub(super) const MOST_NESTED: usize = 64;
