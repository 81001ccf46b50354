//! One instruction of a Dockerfile, its words apart but not yet expanded. Start with [`Instruction`].
//!
//! The forms follow BuildKit's `frontend/dockerfile/parser/line_parsers.go` and
//! `frontend/dockerfile/instructions/parse.go`. Parts on which the inputs do not depend are checked no further than
//! BuildKit's own parser checks them; an instruction that is not known is kept as [`Kind::Unknown`].

use std::ops::Range;

use super::error::ParseReason;
use super::flags::Flags;
use super::frontend::{Change, Frontend};
use super::heredoc::Heredoc;
use super::lines::{Line, Lines};
use super::pairs::{self, is_space};

/// One instruction of a Dockerfile.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    /// The line on which the instruction starts.
    pub line: usize,
    /// The instruction's name, in upper case.
    pub keyword: String,
    /// The instruction's flags.
    pub flags: Flags,
    /// The instruction's kind, with its words.
    pub kind: Kind,
    /// True if the instruction's words are a JSON list.
    pub json: bool,
    /// The logical line that the instruction stands in.
    pub text: Line,
    frontend: Frontend,
}

/// The rules by which the text of instructions is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Language {
    /// The file's escape character.
    pub escape: char,
    /// The versions of the frontend that read the file.
    pub frontend: Frontend,
}

/// The kind of an instruction, with its words as far as the inputs depend on them.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// `FROM`: the image's word, and the stage's name in lower case.
    From { image: Word, name: Option<String> },
    /// `ARG`: names, with their defaults.
    Arg(Vec<(String, Option<String>)>),
    /// `ENV`: names and values.
    Env(Vec<(String, String)>),
    /// `COPY`: the sources without heredocs.
    Copy(Vec<String>),
    /// `ADD`: the sources without heredocs.
    Add(Vec<String>),
    /// `RUN`, whose mounts are among the flags.
    Run,
    /// `ONBUILD`: the instruction that is replayed in the stages built from this one.
    Onbuild(Box<Instruction>),
    /// An instruction that reads nothing.
    Other,
    /// An instruction that is not known.
    Unknown,
    /// An instruction within ONBUILD that cannot be read: an error once it is replayed, and not before.
    Broken(ParseReason),
}

/// A word, and its place in its line.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub text: String,
    pub place: Range<usize>,
}

/// The names of all instructions of the language.
pub(crate) const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Instruction {
    /// Reads the instruction on `line`.
    pub(crate) fn new(line: &Line, language: Language) -> Result<Self, ParseReason> {
        let instruction = Self::new_at(line, 0, language);
        match instruction.kind {
            Kind::Broken(reason) => Err(reason),
            _ => Ok(instruction),
        }
    }

    /// Reads the instruction that the ONBUILD on `line` holds; one that cannot be read is [`Kind::Broken`].
    fn trigger(line: &Line, frontend: Frontend) -> Self {
        let instruction = Self::new_at(line, 0, Language { escape: '\\', frontend });
        match instruction.kind {
            Kind::Onbuild(inner) => *inner,
            kind => Self { kind, ..instruction },
        }
    }

    /// Reads the instruction `text` that an image has replayed, on the line of the FROM that names the image. An
    /// instruction that cannot be read is [`Kind::Broken`]: an error once the stage is reached.
    pub(crate) fn replayed(text: &str, line: usize, frontend: Frontend) -> Self {
        let text = format!("ONBUILD {text}");
        // The text after the first line is the body of a heredoc.
        let first = Lines::new(&text, frontend).next_line().ok().flatten().unwrap_or_default();
        let trigger = Self::trigger(&first.detached(line), frontend);
        if text.contains('\n') && !frontend.has(Change::Heredocs) {
            return Self { kind: Kind::Broken(ParseReason::Trigger(trigger.keyword.clone())), ..trigger };
        }
        trigger
    }

    /// The arguments that an ARG declares: names, with their defaults.
    pub(crate) fn declared(&self) -> impl Iterator<Item = &(String, Option<String>)> {
        match &self.kind {
            Kind::Arg(pairs) => pairs.as_slice(),
            _ => &[],
        }
        .iter()
    }

    /// The text of an instruction that an ONBUILD holds, as it is written, without the word `ONBUILD`.
    pub(crate) fn inner_text(&self) -> String {
        let text = self.text.text.trim();
        let keyword = text.find(is_space).unwrap_or(text.len());
        text[keyword..].trim().to_owned()
    }

    fn new_at(line: &Line, start: usize, language: Language) -> Self {
        let end = line.text.trim_end().len().max(start);
        let rest = &line.text[start..end];
        let start = end - rest.trim_start().len();
        let keyword_end = line.text[start..end].find(is_space).map_or(end, |at| start + at);
        let keyword = line.text[start..keyword_end].to_uppercase();
        let escape = if language.frontend.has(Change::FlagEscapes) { language.escape } else { '\\' };
        let (mut flags, at) = Flags::split(&line.text[..end], keyword_end, escape);
        let args = at + line.text[at..end].len() - line.text[at..end].trim_start().len()..end;
        let json = json(&line.text[args.clone()]).is_some_and(|list| list.is_ok());
        let kind = Kind::new(&keyword, line, args, language);
        let checked = kind.and_then(|kind| match kind {
            Kind::Unknown => Ok(kind),
            kind => flags.check(&keyword).map(|()| kind),
        });
        let kind = checked.unwrap_or_else(Kind::Broken);
        Self { line: line.first, keyword, flags, kind, json, text: line.clone(), frontend: language.frontend }
    }

    /// The heredocs whose bodies follow the instruction.
    pub(crate) fn heredocs(&self) -> Result<Vec<Heredoc>, ParseReason> {
        let inner = match &self.kind {
            Kind::Onbuild(inner) => inner,
            _ => self,
        };
        let reads = matches!(inner.keyword.as_str(), "ADD" | "COPY" | "RUN");
        if reads && !inner.json && self.frontend.has(Change::Heredocs) {
            Heredoc::of_line(&self.text.text)
        } else {
            Ok(Vec::new())
        }
    }

    /// The instruction as it is written, for messages: on one line, cut to 72 characters.
    pub(crate) fn excerpt(&self) -> String {
        let words: Vec<&str> = self.text.text.split_whitespace().collect();
        let text = words.join(" ");
        match text.char_indices().nth(72) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }
}

impl Kind {
    fn new(keyword: &str, line: &Line, args: Range<usize>, language: Language) -> Result<Self, ParseReason> {
        let escape = language.escape;
        let text = &line.text[args.clone()];
        match keyword {
            "FROM" => Self::from(line, args),
            "ARG" => Ok(Self::Arg(pairs::declared(text, escape)?)),
            "ENV" | "LABEL" => {
                let pairs = pairs::assigned(keyword, text, escape)?;
                Ok(if keyword == "ENV" { Self::Env(pairs) } else { Self::Other })
            }
            "COPY" => Ok(Self::Copy(sources(keyword, text, language.frontend)?)),
            "ADD" => Ok(Self::Add(sources(keyword, text, language.frontend)?)),
            "RUN" => json(text).unwrap_or(Ok(Vec::new())).map(|_| Self::Run),
            "ONBUILD" => Self::onbuild(line, args.start, language),
            known if KEYWORDS.contains(&known) => Ok(Self::Other),
            _ => Ok(Self::Unknown),
        }
    }

    fn from(line: &Line, args: Range<usize>) -> Result<Self, ParseReason> {
        let words = words(&line.text, args);
        let (image, name) = match words.as_slice() {
            [image] => (image, None),
            [image, r#as, name] if r#as.text.eq_ignore_ascii_case("as") => (image, Some(name)),
            _ => return Err(ParseReason::arguments("FROM", "an image, or an image, `AS` and a name")),
        };
        let name = name.map(|name| stage_name(&name.text)).transpose()?;
        Ok(Self::From { image: image.clone(), name })
    }

    fn onbuild(line: &Line, start: usize, language: Language) -> Result<Self, ParseReason> {
        if line.text[start..].trim().is_empty() {
            return Err(ParseReason::arguments("ONBUILD", "an instruction"));
        }
        let inner = Instruction::new_at(line, start, language);
        match inner.keyword.as_str() {
            "ONBUILD" | "FROM" | "MAINTAINER" => Err(ParseReason::Trigger(inner.keyword)),
            _ => Ok(Self::Onbuild(Box::new(inner))),
        }
    }
}

/// The sources of COPY or ADD: all words but the last, unless they are heredocs.
fn sources(keyword: &str, text: &str, frontend: Frontend) -> Result<Vec<String>, ParseReason> {
    let list = if frontend.has(Change::ListEnds) { text } else { first_list(text) };
    let mut words = match json(list) {
        Some(list) => list?,
        None => words(text, 0..text.len()).into_iter().map(|word| word.text).collect(),
    };
    let destination = words.pop().filter(|_| !words.is_empty());
    let Some(destination) = destination else {
        return Err(ParseReason::arguments(keyword, "one source or more, and a destination"));
    };
    let is_heredoc =
        |word: &String| frontend.has(Change::Heredocs) && matches!(Heredoc::of_word(word), Ok(Some(_)));
    if is_heredoc(&destination) {
        return Err(ParseReason::HeredocDestination(keyword.to_owned()));
    }
    words.retain(|word| !is_heredoc(word));
    Ok(words)
}

/// The JSON list that `text` begins with, or all of `text`.
fn first_list(text: &str) -> &str {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Vec<serde_json::Value>>();
    match values.next() {
        Some(Ok(_)) => &text[..values.byte_offset()],
        _ => text,
    }
}

/// The strings of a JSON list; none if `text` is no list, an error if the list holds something else than strings.
fn json(text: &str) -> Option<Result<Vec<String>, ParseReason>> {
    if !text.starts_with('[') {
        return None;
    }
    let values: Vec<serde_json::Value> = serde_json::from_str(text).ok()?;
    let strings = values.into_iter().map(|value| match value {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(ParseReason::NotStrings),
    });
    Some(strings.collect())
}

fn words(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text[range.clone()].char_indices() {
        let at = range.start + at;
        match (start, is_space(c)) {
            (None, false) => start = Some(at),
            (Some(from), true) => {
                words.push(Word { text: text[from..at].to_owned(), place: from..at });
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        words.push(Word { text: text[from..range.end].to_owned(), place: from..range.end });
    }
    words
}

fn stage_name(name: &str) -> Result<String, ParseReason> {
    let lower = name.to_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if lower.starts_with(|c: char| c.is_ascii_lowercase()) && lower.chars().all(allowed) {
        Ok(lower)
    } else {
        Err(ParseReason::StageName(name.to_owned()))
    }
}
