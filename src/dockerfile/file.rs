//! A Dockerfile as it is written, read from its bytes. Start with [`Dockerfile::parse`].

use super::directives;
use super::error::{ParseError, ParseReason};
use super::frontend::{self, Frontend};
use super::instruction::{Instruction, Kind, Language, Word};
use super::lines::Lines;

/// A Dockerfile that was read, its words not yet expanded.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    pub(super) source: Vec<u8>,
    pub(super) escape: char,
    syntax: Option<String>,
    /// The ARGs before the first stage.
    pub(super) globals: Vec<Instruction>,
    pub(super) stages: Vec<Stage>,
    /// The instructions that are not known, wherever they stand.
    pub(super) unknown: Vec<Instruction>,
}

/// A stage, as it is written.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    pub(super) image: Word,
    pub(super) from: Instruction,
    pub(super) instructions: Vec<Instruction>,
}

impl Dockerfile {
    /// Reads the bytes of a Dockerfile.
    ///
    /// A file for another frontend than Docker's own (`# syntax=`) may be unreadable: then the result has no stages,
    /// and [`Dockerfile::analyse`] answers with the whole context.
    pub fn parse(source: &[u8]) -> Result<Self, ParseError> {
        Self::read_by(Frontend::default(), source)
    }

    /// Reads the bytes of a Dockerfile as some versions of the frontend do.
    pub(super) fn read_by(frontend: Frontend, source: &[u8]) -> Result<Self, ParseError> {
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
        match file.read(&text, frontend) {
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

    /// The names of the stages, in order and in lower case. Stages without a name are left out.
    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().filter_map(|stage| stage.name.as_deref())
    }

    /// True if another frontend than the one known here reads the file.
    pub(super) fn is_foreign(&self, given: Option<&str>) -> bool {
        given.or(self.syntax()).is_some_and(|syntax| !directives::is_dockerfile_frontend(syntax))
    }

    /// True if the frontend that reads the file tells the exporter the layers of the base image. `given` is the frontend
    /// that the argument `BUILDKIT_SYNTAX` names.
    #[must_use]
    pub fn tells_base_layers(&self, given: Option<&str>) -> bool {
        !self.is_foreign(given) && given.or(self.syntax()).is_none_or(frontend::tells_base_layers)
    }

    fn read(&mut self, text: &str, frontend: Frontend) -> Result<(), ParseError> {
        let mut lines = Lines::new(text, frontend);
        let mut empty = true;
        while let Some(line) = lines.next_line()? {
            empty = false;
            self.escape = lines.directives.escape;
            let language = Language { escape: self.escape, frontend };
            let instruction = Instruction::new(&line, language).map_err(|reason| reason.at(line.first))?;
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

/// The character for a byte that is not UTF-8. No name and no path that holds this character is taken for known.
pub(super) const UNREADABLE: char = '\x1a';

/// The bytes `source` as text of the same length: bytes that are not UTF-8 are legal in comments.
fn readable(source: &[u8]) -> String {
    let mut text = String::with_capacity(source.len());
    for chunk in source.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| UNREADABLE));
    }
    text
}
