//! One pass over the stages that a target needs: variables on the way, an [`Analysis`] at the end.
//! Start with [`Reading`]; the reads of COPY, ADD and RUN are in [`copies`](super::copies), the values of ARG and ENV
//! in [`variables`](super::variables).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::analysis::{
    Analysis, AnalysisError, Base, Dependency, Entitlement, EntitlementKind, ImageWord, NamedContext, Note,
    NoteKind, Options, ReachedStage, context_word,
};
use super::arguments::{globals, is_proxy};
use super::file::Dockerfile;
use super::frontend::{Change, Frontend};
use super::inputs::Inputs;
use super::instruction::{Instruction, KEYWORDS, Kind};
use super::scope::{Globals, Scope};
use super::stages::{Graph, Origin, familiar};
use super::text::{Rules, Variable};
use crate::suggestion::nearest;

/// The pass over the stages, with its findings so far.
pub(super) struct Reading<'a> {
    pub(super) file: &'a Dockerfile,
    pub(super) options: &'a Options<'a>,
    pub(super) rules: Rules,
    pub(super) found: Analysis,
    pub(super) graph: Rc<Graph<'a>>,
    pub(super) globals: Globals,
    /// The variables at the end of each stage.
    pub(super) scopes: BTreeMap<usize, Scope>,
}

/// Analyses `file` as some versions of the frontend read it.
pub(super) fn read(
    file: &Dockerfile,
    options: &Options<'_>,
    frontend: Frontend,
) -> Result<Analysis, AnalysisError> {
    let syntax = options.args.get("BUILDKIT_SYNTAX").map(String::as_str);
    if !file.is_foreign(syntax) {
        return Reading::new(file, options, frontend)?.read_all();
    }
    // Another frontend may take what is an error here, and may read anything.
    let known = if file.stages.is_empty() { None } else { Reading::new(file, options, frontend).ok() };
    let mut found = known.and_then(|reading| reading.read_all().ok()).unwrap_or_default();
    widen_all(&mut found, options);
    found.config = None;
    let syntax = syntax.or(file.syntax()).unwrap_or_default();
    let text = format!("the frontend `{syntax}` is not known: all that is given counts");
    found.notes.push(Note { line: 1, kind: NoteKind::ForeignSyntax, text });
    Ok(found)
}

impl<'a> Reading<'a> {
    fn new(
        file: &'a Dockerfile,
        options: &'a Options<'a>,
        frontend: Frontend,
    ) -> Result<Self, AnalysisError> {
        let newest = Rules::expanding(file.escape);
        let rules = Rules { frontend, ..newest };
        let older = frontend != Frontend::default();
        let pinned = older.then(|| globals(file, options, newest)).transpose()?;
        let globals = globals(file, options, rules)?;
        let graph = Rc::new(Graph::new(file, options, (&globals, pinned.as_ref()), frontend)?);
        let found = Analysis::default();
        Ok(Self { file, options, rules, found, graph, globals, scopes: BTreeMap::new() })
    }

    fn read_all(mut self) -> Result<Analysis, AnalysisError> {
        let target = self.graph.target()?;
        let (stage, footing) = (&self.file.stages[target], self.graph.stage(target));
        if let Some(name) = stage.name.as_ref().filter(|_| footing.replaced) {
            return Err(AnalysisError::ReplacedTarget { line: stage.from.line, stage: name.clone() });
        }
        let mut reached = self.graph.reach(target)?;
        if let Some(named) = self.epoch() {
            reached.extend(self.graph.reach(named)?);
        }
        for number in &reached {
            self.stage(*number)?;
        }
        for instruction in &self.file.unknown {
            self.unknown_instruction(instruction);
        }
        self.meaningful_arguments(&reached);
        let known = |note: &Note| !note.kind.is_language();
        if self.found.notes.iter().all(known) {
            let onbuild = self.graph.onbuild(target);
            self.found.config = self.scopes.remove(&target).map(|scope| scope.config(onbuild));
        }
        Ok(self.found)
    }

    /// True if the frontend reads files as it does since `change`.
    pub(super) fn has(&self, change: Change) -> bool {
        self.rules.frontend.has(change)
    }

    /// Notes the origin of the image's time, where `SOURCE_DATE_EPOCH` names a context instead of a number; returns
    /// the stage where it names a stage. Frontends since 1.24 know these names.
    fn epoch(&mut self) -> Option<usize> {
        const NAME: &str = "SOURCE_DATE_EPOCH";
        let name = self.options.args.get(NAME).or(self.globals.get(NAME)).cloned()?;
        let declares = |instruction: &&Instruction| instruction.declared().any(|(own, _)| own == NAME);
        let line = self.file.globals.iter().find(declares).map_or(0, |instruction| instruction.line);
        if name.is_empty() || name.parse::<i64>().is_ok() {
            return None;
        }
        if name == "context" {
            self.found.inputs.whole = true;
            let text = format!("`{NAME}` names the context, so the whole context counts");
            self.note(line, NoteKind::WholeContext, text);
        } else if let Some((name, context)) = self.options.contexts.get_key_value(familiar(&name)) {
            use_context(&mut self.found, name, context);
            let text = format!("`{NAME}` names the context `{name}`, so all of it counts");
            self.note(line, NoteKind::WholeContext, text);
        } else {
            return self.graph.named(&name);
        }
        None
    }

    fn stage(&mut self, number: usize) -> Result<(), AnalysisError> {
        let stage = &self.file.stages[number];
        let footing = self.graph.stage(number).clone();
        let line = stage.from.line;
        self.found.stages.push(ReachedStage { number, name: stage.name.clone(), line });
        self.found.declared_args.extend(footing.args);
        self.unknown_flags(&stage.from);
        if let Some(stage) = self.graph.meant(number) {
            return Err(AnalysisError::StageCase { line, stage: stage.to_owned() });
        }
        if !footing.replaced {
            let place = stage.from.text.source(stage.image.place.clone());
            if let Some(name) = footing.settled {
                self.found.words.push(ImageWord { place: place.clone(), name, line, settled: true });
            }
            self.uses_image(&footing.origin, line, place, footing.platform.as_deref());
        }
        self.stands_on(number, line);
        let mut scope = self.scope_of(number);
        let graph = Rc::clone(&self.graph);
        for instruction in graph.instructions(number) {
            if let (Kind::Broken(reason), Some(image)) = (&instruction.kind, &footing.image)
                && instruction.text.is_detached()
            {
                return Err(AnalysisError::Trigger { image: image.name.clone(), reason: reason.clone() });
            }
            self.instruction(instruction, &mut scope)?;
        }
        self.scopes.insert(number, scope);
        Ok(())
    }

    fn instruction(&mut self, instruction: &Instruction, scope: &mut Scope) -> Result<(), AnalysisError> {
        self.unknown_flags(instruction);
        match &instruction.kind {
            Kind::Arg(pairs) => self.arguments(instruction, pairs, scope),
            Kind::Env(pairs) => self.variables(instruction, pairs, scope),
            Kind::Copy(sources) => self.copy(instruction, sources, scope),
            Kind::Add(sources) => self.add(instruction, sources, scope),
            Kind::Run => {
                self.needs_allowed(instruction);
                self.mounts(instruction, scope)
            }
            Kind::Broken(reason) => {
                Err(AnalysisError::Replayed { line: instruction.line, reason: reason.clone() })
            }
            Kind::Unknown => {
                self.unknown_instruction(instruction);
                Ok(())
            }
            Kind::From { .. } | Kind::Onbuild(_) | Kind::Other => Ok(()),
        }
    }

    /// Notes that an image or a context is used, and the place of its name.
    pub(super) fn uses_image(
        &mut self,
        origin: &Origin,
        line: usize,
        place: Vec<std::ops::Range<usize>>,
        platform: Option<&str>,
    ) {
        let name = match origin {
            Origin::Stage(_) | Origin::Scratch => return,
            Origin::Context(name) => &context_word(name),
            Origin::External(name) => {
                let same = |base: &&mut Base| base.name == *name && base.platform.as_deref() == platform;
                match self.found.bases.iter_mut().find(same) {
                    Some(base) => add_line(&mut base.lines, line),
                    None => self.found.bases.push(Base {
                        name: name.clone(),
                        platform: platform.map(str::to_owned),
                        lines: vec![line],
                    }),
                }
                name
            }
            Origin::Image(image, written) => {
                match self.found.dependencies.iter_mut().find(|known| known.name == *image) {
                    Some(known) => add_line(&mut known.lines, line),
                    None => {
                        self.found.dependencies.push(Dependency { name: image.clone(), lines: vec![line] });
                    }
                }
                written
            }
        };
        let word = ImageWord { place, name: name.clone(), line, settled: false };
        // An ONBUILD is replayed more than once, and stands in the file once.
        if !self.found.words.contains(&word) {
            self.found.words.push(word);
        }
    }

    /// Notes that a stage stands on all of a context, or on an image whose ONBUILD instructions are not known.
    fn stands_on(&mut self, number: usize, line: usize) {
        let graph = Rc::clone(&self.graph);
        let footing = graph.stage(number);
        if let Origin::Context(name) = &footing.origin {
            self.found.contexts.insert(name.clone(), Inputs::whole());
            let text = format!("the stage stands on the context `{name}`, all of it");
            self.note(line, NoteKind::WholeContext, text);
        }
        if let (Some(image), None) = (&footing.image, graph.config(number)) {
            let text = format!("the ONBUILD instructions of `{}`, if it has any, are not known", image.name);
            self.note(line, NoteKind::UnknownTriggers, text);
            if matches!(footing.origin, Origin::External(_)) {
                self.found.unread.insert(image.clone());
            }
        }
    }

    /// Notes the entitlements of a RUN, which an engine may not allow.
    fn needs_allowed(&mut self, instruction: &Instruction) {
        let is =
            |flag: &str, value: &str| instruction.flags.value(flag).is_some_and(|own| own.text() == value);
        let needs = [
            (is("network", "host"), EntitlementKind::NetworkHost),
            (is("security", "insecure"), EntitlementKind::SecurityInsecure),
        ];
        let needed = needs.into_iter().filter_map(|(needed, kind)| needed.then_some(kind));
        self.found.entitlements.extend(needed.map(|kind| Entitlement { line: instruction.line, kind }));
    }

    fn unknown_flags(&mut self, instruction: &Instruction) {
        for flag in &instruction.flags.unknown {
            let text = format!("`{}`: the flag `--{flag}` is not known", instruction.excerpt());
            self.note(instruction.line, NoteKind::UnknownFlag, text);
            widen_all(&mut self.found, self.options);
        }
    }

    fn unknown_instruction(&mut self, instruction: &Instruction) {
        let keyword = &instruction.keyword;
        let similar = nearest(keyword, KEYWORDS.into_iter());
        let hint = similar.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        let text = format!("`{}`: the instruction is not known{hint}", instruction.excerpt());
        self.note(instruction.line, NoteKind::UnknownInstruction, text);
        widen_all(&mut self.found, self.options);
    }

    pub(super) fn note(&mut self, line: usize, kind: NoteKind, text: String) {
        self.found.notes.push(Note { line, kind, text });
    }
}

/// Makes everything count: every file of every context, every argument.
pub(super) fn widen_all(found: &mut Analysis, options: &Options<'_>) {
    found.inputs.whole = true;
    found.obscure = true;
    for (name, context) in options.contexts {
        use_context(found, name, context);
    }
    let given = options.args.keys().filter(|name| !is_proxy(name));
    found.declared_args.extend(given.cloned());
    found.undeclared_args.clear();
}

/// Makes all of a context count.
fn use_context(found: &mut Analysis, name: &str, context: &NamedContext) {
    match context {
        NamedContext::Files => found.contexts.entry(name.to_owned()).or_default().whole = true,
        NamedContext::Image(image) => {
            if !found.dependencies.iter().any(|known| known.name == *image) {
                found.dependencies.push(Dependency { name: image.clone(), lines: Vec::new() });
            }
        }
        NamedContext::External(name) => {
            if !found.bases.iter().any(|known| known.name == *name) {
                found.bases.push(Base { name: name.clone(), platform: None, lines: Vec::new() });
            }
        }
    }
}

pub(super) fn add_line(lines: &mut Vec<usize>, line: usize) {
    if !lines.contains(&line) {
        lines.push(line);
    }
}

/// True if `word` holds a variable: such words are refused where BuildKit expands nothing.
pub(super) fn has_variables(word: &str, rules: Rules) -> bool {
    super::words::expand(word, rules, &mut |_| Variable::Unset).map_or(true, |text| text.value != word)
}
