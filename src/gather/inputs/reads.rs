//! The files of one context that a Dockerfile reads, for all platforms together. Start with [`Reads`].

use std::collections::BTreeSet;

use bstr::BStr;
use dtbuild_content::sources::{self, Reading, Selection};

use crate::dockerfile::{Analysis, Source, SourceKind};
use crate::plan::Reader;

/// The sources of a Dockerfile that are read from one context.
pub(crate) struct Reads {
    /// The Dockerfile's path.
    file: String,
    /// The context's name; none for the main one.
    context: Option<String>,
    /// True if the whole context counts.
    pub(crate) whole: bool,
    /// True if the whole Dockerfile was understood.
    pub(crate) certain: bool,
    sources: Vec<Source>,
}

impl Reads {
    /// The sources that any of `analyses` reads from the main context.
    pub(crate) fn new(file: String, analyses: &[Analysis]) -> Self {
        Self::over(file, analyses, None)
    }

    /// The sources that any of `analyses` reads from the context `name`.
    pub(crate) fn of_context(file: String, analyses: &[Analysis], name: &str) -> Self {
        Self::over(file, analyses, Some(name.to_owned()))
    }

    fn over(file: String, analyses: &[Analysis], context: Option<String>) -> Self {
        let inputs = || {
            analyses.iter().filter_map(|analysis| match &context {
                None => Some(&analysis.inputs),
                Some(name) => analysis.contexts.get(name),
            })
        };
        let mut sources: Vec<Source> = Vec::new();
        for source in inputs().flat_map(|inputs| &inputs.sources) {
            if !sources.contains(source) {
                sources.push(source.clone());
            }
        }
        // Unknown ONBUILD instructions may read more than the Dockerfile itself does.
        let whole = inputs().any(|inputs| inputs.whole) || analyses.iter().any(is_obscure);
        let mut notes = analyses.iter().flat_map(|analysis| &analysis.notes);
        let certain = !notes.any(|note| note.kind.widens());
        Self { file, context, whole, certain, sources }
    }

    /// The sources in the form that a tree is searched with.
    pub(crate) fn sources(&self) -> Vec<sources::Source> {
        let source = |source: &Source| {
            let reading = match source.kind {
                SourceKind::Copy => Reading::Wildcards,
                SourceKind::Parents => Reading::Parents,
                SourceKind::Mount => Reading::Literal,
            };
            sources::Source { path: source.path.clone(), reading }
        };
        self.sources.iter().map(source).collect()
    }

    /// The paths of the sources, sorted.
    pub(crate) fn paths(&self) -> BTreeSet<&str> {
        self.sources.iter().map(|source| source.path.as_str()).collect()
    }

    /// The source at `index`, if its files have to exist: the files of a source that only older frontends read
    /// need not.
    pub(crate) fn required(&self, index: usize) -> Option<&Source> {
        self.sources.get(index).filter(|source| source.before.is_none())
    }

    /// The line of a source and its text, such as `api/Dockerfile:7: COPY src`.
    pub(crate) fn place(&self, source: &Source) -> String {
        let keyword = source.instruction.split_whitespace().next().unwrap_or_default();
        let mount = if source.kind == SourceKind::Mount { " --mount" } else { "" };
        format!("{}:{}: {keyword}{mount} {}", self.file, source.line, source.path)
    }

    /// The instructions that read `path`, a path from the context's root.
    pub(crate) fn readers(&self, selection: &Selection, path: &BStr) -> Vec<Reader> {
        let reader = |source: &Source| Reader::Instruction {
            file: self.file.clone(),
            line: source.line,
            instruction: source.instruction.clone(),
        };
        let found = selection.readers(path).filter_map(|index| self.sources.get(index));
        let mut readers: Vec<Reader> = found.map(reader).collect();
        readers.sort_unstable();
        readers.dedup();
        if readers.is_empty() && selection.is_whole() {
            readers.push(Reader::Context { name: self.context.clone() });
        }
        readers
    }

    /// The remarks on sources that count for more than they read.
    pub(crate) fn notes(&self, selection: &Selection) -> Vec<String> {
        let note = |(index, widening)| Some(format!("{}: {widening}", self.place(self.sources.get(index)?)));
        selection.widened().filter_map(note).collect()
    }
}

/// True if a build may read more than the Dockerfile says: any file of any context.
pub(crate) fn is_obscure(analysis: &Analysis) -> bool {
    analysis.obscure || analysis.has_unknown_triggers()
}
