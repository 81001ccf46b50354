//! The files that older versions of the frontend read, which count besides those of the newest. Start with
//! [`Doubts`], the changes before which a file is read differently.

use std::collections::BTreeSet;

use bstr::ByteSlice as _;

use super::analysis::{Analysis, AnalysisError, Base, Dependency, Note, NoteKind, Options};
use super::configs::{BaseConfig, Rest};
use super::file::Dockerfile;
use super::flags::Value;
use super::frontend::{Asked, Change, Frontend};
use super::heredoc::Heredoc;
use super::inputs::{Inputs, Source};
use super::instruction::{Instruction, KEYWORDS, Kind};
use super::reading::{add_line, read};

/// The changes before which a file may be read differently, as far as the file's text tells.
#[derive(Debug, Default)]
struct Doubts(BTreeSet<Change>);

impl Dockerfile {
    /// Finds the files that a build reads, the images that it stands on and the arguments that it takes, by whatever
    /// version of Docker's own frontend.
    pub fn analyse(&self, options: &Options<'_>) -> Result<Analysis, AnalysisError> {
        let mut analysis = read(self, options, Frontend::default())?;
        let syntax = options.args.get("BUILDKIT_SYNTAX").map(String::as_str);
        if !self.is_foreign(syntax) {
            let asked = Asked::of(syntax.or(self.syntax()));
            for change in
                Doubts::of(self, options).0.into_iter().filter(|change| asked.may_be_before(*change))
            {
                // An older version does not build a file that it refuses.
                if let Some(older) = self.read_before(change, options).filter(Analysis::is_understood) {
                    analysis.add(older, change);
                }
            }
        }
        analysis.notes.sort_by_key(|note| (note.line, note.kind));
        analysis.notes.dedup();
        Ok(analysis)
    }

    fn read_before(&self, change: Change, options: &Options<'_>) -> Option<Analysis> {
        let frontend = Frontend::before(change);
        let divided = Change::ALL.into_iter().any(|known| known.divides() && !frontend.has(known));
        if !divided {
            return read(self, options, frontend).ok();
        }
        let file = Self::read_by(frontend, &self.source).ok()?;
        read(&file, options, frontend).ok()
    }
}

impl Doubts {
    fn of(file: &Dockerfile, options: &Options<'_>) -> Self {
        let mut doubts = Self::default();
        doubts.add(Change::FlagEscapes, file.escape != '\\');
        doubts.add(Change::Check, file.escape != '\\');
        let globals: Vec<_> = file.globals.iter().flat_map(Instruction::declared).collect();
        doubts.add(Change::BlankGlobals, globals.iter().any(|(_, default)| default.is_none()));
        let expanded = |default: &Option<String>| default.as_ref().is_some_and(|text| text.contains("${"));
        for change in [Change::GlobalErrors, Change::Patterns, Change::BareModifiers] {
            doubts.add(change, globals.iter().any(|(_, default)| expanded(default)));
        }
        let own = file.stages.iter().flat_map(|stage| &stage.instructions);
        for instruction in own {
            doubts.instruction(instruction);
        }
        doubts.text(&file.source);
        doubts.add(Change::Inheritance, !options.contexts.is_empty());
        for trigger in options.bases.values().chain(options.built.values()).flat_map(|config| &config.onbuild)
        {
            let trigger = Instruction::replayed(trigger, 0, Frontend::default());
            doubts.instruction(&trigger);
            doubts.add(Change::Inheritance, true);
            doubts.text(trigger.text.text.as_bytes());
        }
        doubts
    }

    fn add(&mut self, change: Change, doubtful: bool) {
        if doubtful {
            self.0.insert(change);
        }
    }

    fn instruction(&mut self, instruction: &Instruction) {
        let expands = |text: &str| text.contains('$');
        let ends = |heredoc: &Heredoc| KEYWORDS.contains(&heredoc.terminator.to_uppercase().as_str());
        self.add(Change::Heredocs, instruction.heredocs().is_ok_and(|heredocs| heredocs.iter().any(ends)));
        match &instruction.kind {
            Kind::Arg(pairs) => {
                self.add(Change::LastWins, true);
                let sees = |(name, default): &(String, Option<String>)| {
                    expands(name) || pairs.len() > 1 && default.as_deref().is_some_and(expands)
                };
                self.add(Change::ArgumentOrder, pairs.iter().any(sees));
            }
            Kind::Copy(_) | Kind::Add(_) => {
                let text = &instruction.text.text;
                self.add(Change::ListEnds, text.contains('[') && !instruction.json);
                self.add(Change::Pivot, text.contains("/./"));
                let may_be_git = text.contains(['@', '$']) || text.contains("://");
                self.add(Change::GitAddresses, may_be_git && matches!(instruction.kind, Kind::Add(_)));
            }
            Kind::Run => {
                let mut mounts = instruction.flags.values("mount").map(Value::text);
                let expands = mounts.any(|mount| mount.contains(['$', '"', '\'', '\\', '`']));
                self.add(Change::MountVariables, expands);
            }
            Kind::Onbuild(inner) => self.instruction(inner),
            _ => {}
        }
    }

    fn text(&mut self, text: &[u8]) {
        let holds = |word: &str| text.contains_str(word);
        self.add(Change::OsVersions, holds("OSVERSION"));
        self.add(Change::TargetStage, holds("TARGETSTAGE"));
        self.add(Change::ScanArguments, holds("BUILDKIT_SBOM_SCAN"));
    }
}

impl Analysis {
    /// True if all of the file was understood.
    fn is_understood(&self) -> bool {
        !self.notes.iter().any(|note| note.kind.is_language())
    }

    /// Adds the analysis by the versions before `change`.
    fn add(&mut self, older: Self, change: Change) {
        let (version, reads) = (change.version(), change.before());
        let remark = |what: &str| {
            format!(
                "{what} to frontends before 1.{version}: {reads}; `# syntax=docker/dockerfile:1.{version}` in the first \
                 line would settle it"
            )
        };
        self.add_names(&older);
        self.add_notes(&older.notes, remark);
        let main = (String::new(), older.inputs);
        for (name, inputs) in older.contexts.into_iter().chain([main]) {
            let (own, of) = if name.is_empty() {
                (&mut self.inputs, String::new())
            } else {
                (self.contexts.entry(name.clone()).or_default(), format!(" of the context `{name}`"))
            };
            for source in own.add_older(inputs, version).into_iter().filter(|_| !change.is_far_fetched()) {
                let text = remark(&format!("`{}` reads `{}`{of}", source.instruction, source.path));
                self.notes.push(Note { line: source.line, kind: NoteKind::OlderFrontend, text });
            }
        }
        for stage in older.stages {
            if self.stages.iter().all(|known| known.number != stage.number) {
                let text = remark(&format!("the stage of line {} is built", stage.line));
                self.notes.push(Note { line: stage.line, kind: NoteKind::OlderFrontend, text });
                self.stages.push(stage);
            }
        }
        self.stages.sort_by_key(|stage| stage.number);
        self.obscure |= older.obscure;
        self.declared_args.extend(older.declared_args);
        self.undeclared_args.retain(|name| !self.declared_args.contains(name));
        add_new(&mut self.remotes, older.remotes);
        add_new(&mut self.entitlements, older.entitlements);
        self.config = self.config.take().zip(older.config).map(|(own, older)| own.or(&older));
    }

    /// Adds the images that the older versions use. Where both the older and the newest versions take an image from
    /// one line, the line's word is pinned to the newest's image.
    fn add_names(&mut self, older: &Self) {
        let lines: BTreeSet<usize> = self.stages.iter().map(|stage| stage.line).collect();
        for base in &older.bases {
            for line in base.lines.iter().filter(|line| !lines.contains(line)) {
                let same =
                    self.bases.iter_mut().find(|own| own.name == base.name && own.platform == base.platform);
                match same {
                    Some(own) => add_line(&mut own.lines, *line),
                    None => self.bases.push(Base { lines: vec![*line], ..base.clone() }),
                }
            }
        }
        for image in &older.dependencies {
            for line in image.lines.iter().filter(|line| !lines.contains(line)) {
                match self.dependencies.iter_mut().find(|own| own.name == image.name) {
                    Some(own) => add_line(&mut own.lines, *line),
                    None => self.dependencies.push(Dependency { lines: vec![*line], ..image.clone() }),
                }
            }
        }
        for word in &older.words {
            if self.words.iter().all(|own| (own.line, &own.place) != (word.line, &word.place)) {
                self.words.push(word.clone());
            }
        }
        let used = |name: &String| self.bases.iter().any(|base| base.name == *name);
        self.unread.extend(older.unread.iter().filter(|image| used(&image.name)).cloned());
    }

    fn add_notes(&mut self, older: &[Note], remark: impl Fn(&str) -> String) {
        for note in older {
            // The remark on a note begins with the note's text.
            let is_known = |own: &Note| own.line == note.line && own.text.starts_with(&note.text);
            if self.notes.iter().any(is_known) {
                continue;
            }
            // The text of these notes holds by itself.
            let is_plain = matches!(note.kind, NoteKind::UnknownTriggers | NoteKind::StaleRemote);
            let older = || Note { line: note.line, kind: NoteKind::OlderFrontend, text: remark(&note.text) };
            self.notes.push(if is_plain { note.clone() } else { older() });
        }
    }
}

impl Inputs {
    /// Adds the inputs by versions before 1.`version`; returns the sources that are new.
    fn add_older(&mut self, older: Self, version: u32) -> Vec<Source> {
        self.whole |= older.whole;
        let mut new = Vec::new();
        for source in older.sources {
            let same = |own: &&Source| {
                (&own.path, own.kind, &own.excludes) == (&source.path, source.kind, &source.excludes)
            };
            if self.sources.iter().any(|own| same(&own)) {
                continue;
            }
            let source = Source { before: Some(version), ..source };
            if !self.whole {
                new.push(source.clone());
            }
            self.sources.push(source);
        }
        new
    }
}

impl BaseConfig {
    /// The configuration that is certain for an image that has either this configuration or the other.
    fn or(mut self, other: &Self) -> Self {
        for (name, value) in &mut self.env {
            if other.env.get(name) != Some(value) {
                *value = None;
            }
        }
        for name in other.env.keys() {
            self.env.entry(name.clone()).or_insert(None);
        }
        if self.rest != other.rest || self.onbuild != other.onbuild {
            self.rest = Rest::Anything;
        }
        self
    }
}

fn add_new<T: PartialEq>(known: &mut Vec<T>, older: Vec<T>) {
    for item in older {
        if !known.contains(&item) {
            known.push(item);
        }
    }
}
