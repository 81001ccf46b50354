//! Texts that are not Dockerfiles: [`ParseError`], with its line.

/// A Dockerfile that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line on which the instruction starts, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: ParseReason,
}

/// What is wrong with a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReason {
    /// There is no instruction at all.
    #[error("the file has no instructions; start with `FROM <image>`")]
    Empty,
    /// There is no stage.
    #[error("the file has no `FROM`; add one, `FROM scratch` at the least")]
    NoStage,
    /// An instruction that needs a stage.
    #[error("`{0}` stands before the first `FROM`; only `ARG` may")]
    BeforeFrom(String),
    /// A directive that is given twice.
    #[error("the `{0}` directive is given twice; keep one")]
    RepeatedDirective(String),
    /// An escape character that is not one.
    #[error("the escape character cannot be `{0}`; it is a backslash or a backtick")]
    Escape(String),
    /// A heredoc without its end.
    #[error("the heredoc `{0}` is not terminated; end it with a line that holds only `{0}`")]
    Heredoc(String),
    /// The name of a heredoc that cannot be read.
    #[error("the name of the heredoc `{0}` cannot be read; use letters and digits")]
    HeredocName(String),
    /// A heredoc as destination.
    #[error("`{0}` cannot copy to a heredoc; name a path last")]
    HeredocDestination(String),
    /// Too few or too many words.
    #[error("`{keyword}` takes {expected}")]
    Arguments {
        /// The instruction.
        keyword: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A name for a stage that cannot be one.
    #[error("`{0}` cannot name a stage; start with a letter, go on with letters, digits, `-`, `_` and `.`")]
    StageName(String),
    /// A pair without its equals sign.
    #[error("`{0}` has no `=`; write `name=value`, and quote values with spaces")]
    Pair(String),
    /// A pair without its name.
    #[error("a variable of `{0}` has no name; write `name=value`")]
    BlankName(String),
    /// A list in brackets that holds something else than strings.
    #[error("a list in brackets may hold strings only; quote each of them with `\"`")]
    NotStrings,
    /// A flag without its value.
    #[error("the flag `--{0}` has no value; write `--{0}=<value>`")]
    FlagValue(String),
    /// A flag that is given twice.
    #[error("the flag `--{0}` is given twice; keep one")]
    RepeatedFlag(String),
    /// A flag that is neither true nor false.
    #[error("the flag `--{name}` cannot be `{value}`; it is `true` or `false`")]
    NotBoolean {
        /// The flag.
        name: String,
        /// Its value.
        value: String,
    },
    /// An instruction that cannot be replayed.
    #[error("`ONBUILD` cannot hold `{0}`")]
    Trigger(String),
}

impl ParseReason {
    /// This reason at `line`.
    pub(crate) fn at(self, line: usize) -> ParseError {
        ParseError { line, reason: self }
    }

    pub(crate) fn arguments(keyword: &str, expected: &'static str) -> Self {
        Self::Arguments { keyword: keyword.to_owned(), expected }
    }
}
