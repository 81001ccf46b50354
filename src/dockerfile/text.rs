//! The rules and the variables by which words are expanded, and the texts that result. Start with [`Text`].
//!
//! A name that only an image from elsewhere could have set is [`Variable::Unknown`], and makes a text that needs the
//! name unknown. The text is never empty, as in a shell, because an empty text would be a guess at the inputs.

use super::frontend::Frontend;

/// The rules by which a word is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The file's escape character.
    pub escape: char,
    /// True to keep quotes in the result.
    pub raw_quotes: bool,
    /// True to keep escapes in the result.
    pub raw_escapes: bool,
    /// True to keep variables that are not set as they are written.
    pub keep_unset: bool,
    /// The versions of the frontend, which decide the modifiers that there are.
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

/// The value of a variable, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// The variable has this value.
    Set(String),
    /// The variable has no value.
    Unset,
    /// The variable may have a value that the file does not tell.
    Unknown,
}

/// The function that gives the values of variables.
pub(crate) type Lookup<'a> = &'a mut dyn FnMut(&str) -> Variable;

/// The error for a word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quote or a brace is opened and not closed.
    #[error("a closing `{0}` is missing; quote it if it is meant literally")]
    Unterminated(char),
    /// The text in the braces is no substitution.
    #[error("`${{{0}` is not a substitution; write `${{name}}`, or `\\$` for a dollar")]
    Substitution(String),
    /// The language does not have this modifier.
    #[error("`{0}` is not a modifier of a substitution; the language has `-`, `+`, `?`, `#`, `%` and `/`")]
    Modifier(String),
    /// A pattern cannot have this escape.
    #[error("`{0}` is not an escape of a pattern; only `*`, `?`, `\\`, `}}` and `/` are escaped")]
    Pattern(String),
    /// The word requires a variable by `?`, and the variable is not set.
    #[error("`{name}` {message}; give it with a build argument")]
    Required {
        /// The variable's name.
        name: String,
        /// The message that the file has for this case.
        message: String,
    },
    /// Too many substitutions stand within each other.
    #[error("substitutions are nested more than {MOST_NESTED} times")]
    Nested,
}

/// The largest depth of substitutions within substitutions, which bounds the recursion; nobody writes more than three.
pub(super) const MOST_NESTED: usize = 64;
