//! Errors for texts that are not Dockerfiles. Start with [`ParseError`].

/// The error for a Dockerfile that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line on which the instruction starts, from 1.
    pub line: usize,
    /// The fault of the file.
    pub reason: ParseReason,
}

/// The fault of a Dockerfile that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReason {
    /// The file has no instruction at all.
    #[error("the file has no instructions; start with `FROM <image>`")]
    Empty,
    /// The file has no stage.
    #[error("the file has no `FROM`; add one, `FROM scratch` at the least")]
    NoStage,
    /// An instruction that needs a stage stands before the first one.
    #[error("`{0}` stands before the first `FROM`; only `ARG` may")]
    BeforeFrom(String),
    /// A directive is given twice.
    #[error("the `{0}` directive is given twice; keep one")]
    RepeatedDirective(String),
    /// The escape character is neither a backslash nor a backtick.
    #[error("the escape character cannot be `{0}`; it is a backslash or a backtick")]
    Escape(String),
    /// A heredoc has no end.
    #[error("the heredoc `{0}` is not terminated; end it with a line that holds only `{0}`")]
    Heredoc(String),
    /// The name of a heredoc cannot be read.
    #[error("the name of the heredoc `{0}` cannot be read; use letters and digits")]
    HeredocName(String),
    /// A heredoc is the destination.
    #[error("`{0}` cannot copy to a heredoc; name a path last")]
    HeredocDestination(String),
    /// The instruction has too few or too many words.
    #[error("`{keyword}` takes {expected}")]
    Arguments {
        /// The instruction's name.
        keyword: String,
        /// The words that the instruction takes.
        expected: &'static str,
    },
    /// The name for a stage cannot name a stage.
    #[error("`{0}` cannot name a stage; start with a letter, go on with letters, digits, `-`, `_` and `.`")]
    StageName(String),
    /// A pair has no equals sign.
    #[error("`{0}` has no `=`; write `name=value`, and quote values with spaces")]
    Pair(String),
    /// A pair has no name.
    #[error("a variable of `{0}` has no name; write `name=value`")]
    BlankName(String),
    /// A list in brackets holds something else than strings.
    #[error("a list in brackets may hold strings only; quote each of them with `\"`")]
    NotStrings,
    /// A flag has no value.
    #[error("the flag `--{0}` has no value; write `--{0}=<value>`")]
    FlagValue(String),
    /// A flag is given twice.
    #[error("the flag `--{0}` is given twice; keep one")]
    RepeatedFlag(String),
    /// A boolean flag is neither true nor false.
    #[error("the flag `--{name}` cannot be `{value}`; it is `true` or `false`")]
    NotBoolean {
        /// The flag's name.
        name: String,
        /// The flag's value.
        value: String,
    },
    /// An ONBUILD holds an instruction that cannot be replayed.
    #[error("`ONBUILD` cannot hold `{0}`")]
    Trigger(String),
}

impl ParseReason {
    /// The error with this reason at `line`.
    pub(crate) fn at(self, line: usize) -> ParseError {
        ParseError { line, reason: self }
    }

    pub(crate) fn arguments(keyword: &str, expected: &'static str) -> Self {
        Self::Arguments { keyword: keyword.to_owned(), expected }
    }
}
