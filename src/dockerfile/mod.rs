//! Dockerfiles: what a build reads, which images it stands on, which arguments it takes. Start with
//! [`Dockerfile`].
//!
//! The language is read as BuildKit's frontend 1.x reads it, from the bytes to the list of paths that it asks a
//! client for. Data flows through the modules in this order:
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | `directives`, `lines`, `heredoc` | bytes | logical lines, each byte with its place in the file |
//! | `instruction`, `flags`, `mount`, `pairs` | a line | an instruction, its words not yet expanded |
//! | `words`, `expand`, `pattern` | a word and its variables | a text, or the variable that is missing |
//! | `scope`, `platform` | arguments | what variables stand for, globally and within a stage |
//! | `configs` | images elsewhere | what their variables and ONBUILD instructions add |
//! | `stages` | stages and a target | the stages that are reached, and what they stand on |
//! | `analysis`, `reading`, `copies`, `inputs`, `remote` | all of these | an [`Analysis`] |
//! | `pin` | analyses and digests | the file with its images pinned |
//!
//! What cannot be known exactly is never guessed: it widens the inputs, up to the whole context, and a
//! [`Note`] says why and on which line.

mod analysis;
mod configs;
mod copies;
mod directives;
mod error;
mod expand;
mod flags;
mod heredoc;
mod inputs;
mod instruction;
mod lines;
mod mount;
mod pairs;
mod pattern;
mod pin;
mod reading;
mod remote;
mod scope;
mod stages;
#[cfg(test)]
mod tests;
mod variables;
mod words;

use instruction::{Instruction, Kind, Word};
use lines::Lines;

pub use analysis::{
    Analysis, AnalysisError, Base, Dependency, ImageNames, NamedContext, Note, NoteKind, Options,
    ReachedStage,
};
pub use configs::{BaseConfig, Configs, PlatformImage, Rest};
pub use error::{ParseError, ParseReason};
pub use expand::ExpandError;
pub use inputs::{Inputs, Source, SourceKind};
pub use pin::{PinError, Pinned, Unpinned, context_word};
pub use remote::{Remote, RemoteKind};
pub use stages::familiar;

/// A Dockerfile that was read.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    source: Vec<u8>,
    escape: char,
    syntax: Option<String>,
    /// The ARGs before the first stage.
    globals: Vec<Instruction>,
    stages: Vec<Stage>,
    /// Instructions that are not known, wherever they stand.
    unknown: Vec<Instruction>,
}

/// A stage, as it is written.
#[derive(Clone, Debug)]
struct Stage {
    name: Option<String>,
    image: Word,
    from: Instruction,
    instructions: Vec<Instruction>,
}

impl Dockerfile {
    /// Reads the bytes of a Dockerfile.
    ///
    /// A file for another frontend than Docker's own (`# syntax=`) is read as far as it goes: if not at all,
    /// it has no stages, and [`Dockerfile::analyse`] answers with the whole context.
    pub fn parse(source: &[u8]) -> Result<Self, ParseError> {
        let text = readable(source);
        let syntax = directives::syntax(&text);
        let mut file = Self {
            source: source.to_vec(),
            escape: '\\',
            syntax,
            globals: Vec::new(),
            stages: Vec::new(),
            unknown: Vec::new(),
        };
        match file.read(&text) {
            Err(_) if file.is_foreign(None) => {
                file.globals.clear();
                file.stages.clear();
                Ok(file)
            }
            result => result.map(|()| file),
        }
    }

    /// The frontend that the file asks for, by `# syntax=`.
    #[must_use]
    pub fn syntax(&self) -> Option<&str> {
        self.syntax.as_deref()
    }

    /// The names of its stages, in order and in lower case, those without one left out.
    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().filter_map(|stage| stage.name.as_deref())
    }

    /// Whether another frontend than the one known here reads the file.
    fn is_foreign(&self, given: Option<&str>) -> bool {
        given.or(self.syntax()).is_some_and(|syntax| !directives::is_dockerfile_frontend(syntax))
    }

    fn read(&mut self, text: &str) -> Result<(), ParseError> {
        let mut lines = Lines::new(text);
        let mut empty = true;
        while let Some(line) = lines.next_line()? {
            empty = false;
            self.escape = lines.directives.escape;
            let instruction = Instruction::new(&line, self.escape).map_err(|reason| reason.at(line.first))?;
            let skipped = instruction.heredocs().and_then(|heredocs| lines.skip(&heredocs));
            skipped.map_err(|reason| reason.at(line.first))?;
            self.place(instruction)?;
        }
        let missing = if empty { ParseReason::Empty } else { ParseReason::NoStage };
        if self.stages.is_empty() { Err(missing.at(lines.number().max(1))) } else { Ok(()) }
    }

    fn place(&mut self, instruction: Instruction) -> Result<(), ParseError> {
        match (&instruction.kind, self.stages.last_mut()) {
            (Kind::From { image, name }, _) => {
                let (image, name) = (image.clone(), name.clone());
                self.stages.push(Stage { name, image, from: instruction, instructions: Vec::new() });
            }
            (Kind::Unknown, _) => self.unknown.push(instruction),
            (_, Some(stage)) => stage.instructions.push(instruction),
            (Kind::Arg(_), None) => self.globals.push(instruction),
            (_, None) => return Err(ParseReason::BeforeFrom(instruction.keyword).at(instruction.line)),
        }
        Ok(())
    }
}

/// Stands for a byte that is not UTF-8; no name and no path that holds it is taken for known.
const UNREADABLE: char = '\x1a';

/// `source` as text of the same length: bytes that are not UTF-8 are legal in comments.
fn readable(source: &[u8]) -> String {
    let mut text = String::with_capacity(source.len());
    for chunk in source.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| UNREADABLE));
    }
    text
}
