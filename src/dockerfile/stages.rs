//! The stages of a file and their footings: names, numbers and the images outside. Start with [`Graph`].
//!
//! The lookups, quirks included, are those of BuildKit's `frontend/dockerfile/dockerfile2llb/convert.go`: FROM
//! sees the stages before it, `--from` all of them, and the last stage of a name wins.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::{AnalysisError, NamedContext, Options};
use super::configs::{BaseConfig, PlatformImage};
use super::file::{Dockerfile, Stage};
use super::frontend::Frontend;
use super::instruction::{Instruction, Kind};
use super::mount::Fields;
use super::scope::Globals;
use super::text::Rules;
use crate::platform::Platform;
use crate::suggestion::nearest;

/// The origin of a stage or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A stage of this file, by its number.
    Stage(usize),
    /// Nothing: `scratch`.
    Scratch,
    /// A named context.
    Context(String),
    /// An image that is built together with this one: its name, and the name as it is written, or once more
    /// where a context's name is written.
    Image(String, String),
    /// An image from elsewhere.
    External(String),
}

/// The stages of a file with their footings.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    file: &'a Dockerfile,
    options: &'a Options<'a>,
    frontend: Frontend,
    names: BTreeMap<&'a str, usize>,
    stages: Vec<Footing>,
}

/// The footing of a stage: the image, the stage or the context that the stage stands on.
#[derive(Clone, Debug)]
pub(super) struct Footing {
    pub origin: Origin,
    /// The platform that the stage asks for.
    pub platform: Option<String>,
    /// The given arguments that the image and the platform come from.
    pub args: BTreeSet<String>,
    /// True if a named context takes the place of the stage.
    pub replaced: bool,
    /// The name of the stage that the word of the image means, where older frontends may read something else.
    pub settled: Option<String>,
    /// The image that the stage itself stands on, without another stage between.
    pub image: Option<PlatformImage>,
    /// The ONBUILD instructions that this image brings along.
    triggers: Vec<Instruction>,
}

impl<'a> Graph<'a> {
    /// Finds the footing of each stage. An older frontend also takes the globals of the newest, because the names of
    /// images are pinned to the images that they name to the newest.
    pub(super) fn new(
        file: &'a Dockerfile,
        options: &'a Options<'a>,
        globals: (&Globals, Option<&Globals>),
        frontend: Frontend,
    ) -> Result<Self, AnalysisError> {
        let mut graph = Self { file, options, frontend, names: BTreeMap::new(), stages: Vec::new() };
        for (number, stage) in file.stages.iter().enumerate() {
            let footing = graph.footing(stage, globals)?;
            graph.stages.push(footing);
            if let Some(name) = &stage.name {
                graph.names.insert(name, number);
            }
        }
        Ok(graph)
    }

    /// The footing of stage `number`.
    pub(super) fn stage(&self, number: usize) -> &Footing {
        &self.stages[number]
    }

    /// The number of the stage of this name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.get(name.to_lowercase().as_str()).copied()
    }

    /// The number of the stage that is to be built.
    pub(super) fn target(&self) -> Result<usize, AnalysisError> {
        match self.options.target.filter(|target| !target.is_empty()) {
            None => Ok(self.stages.len() - 1),
            Some(target) => self.named(target).ok_or_else(|| unknown_target(target, self.file)),
        }
    }

    /// The name of the stage that stage `number` means to stand on, where the file writes the name in another case:
    /// neither stages nor images without a host have names in upper case.
    pub(super) fn meant(&self, number: usize) -> Option<&'a str> {
        let Origin::External(name) = &self.stages[number].origin else { return None };
        let (meant, _) = self.names.get_key_value(name.to_lowercase().as_str())?;
        Some(*meant).filter(|meant| meant != name)
    }

    /// The stages that `target` needs, itself included.
    pub(super) fn reach(&self, target: usize) -> Result<BTreeSet<usize>, AnalysisError> {
        let mut reached = BTreeSet::new();
        let mut open = vec![target];
        while let Some(number) = open.pop() {
            if !reached.insert(number) || self.stages[number].replaced {
                continue;
            }
            if let Origin::Stage(base) = self.stages[number].origin {
                open.push(base);
            }
            for instruction in self.instructions(number) {
                for origin in self.sources(instruction)? {
                    if let Origin::Stage(source) = origin {
                        open.push(source);
                    }
                }
            }
        }
        Ok(reached)
    }

    /// The instructions that run in stage `number`: the instructions that its base replays, then its own.
    pub(super) fn instructions(&self, number: usize) -> Vec<&Instruction> {
        let footing = &self.stages[number];
        if footing.replaced {
            return Vec::new();
        }
        let mut instructions: Vec<&Instruction> = match &footing.origin {
            Origin::Stage(base) if !self.stages[*base].replaced => {
                let own = self.file.stages[*base].instructions.iter().filter_map(replayed);
                let again = self.frontend.inherits_too_much().then(|| self.triggers_below(*base));
                again.into_iter().flatten().chain(own).collect()
            }
            _ => footing.triggers.iter().collect(),
        };
        instructions.extend(&self.file.stages[number].instructions);
        instructions
    }

    /// The instructions of the image that stage `number` stands on, over whatever stages, which the image has
    /// replayed.
    fn triggers_below(&self, number: usize) -> &[Instruction] {
        match self.stages[number].origin {
            Origin::Stage(base) => self.triggers_below(base),
            _ => &self.stages[number].triggers,
        }
    }

    /// The known configuration of the image that stage `number` itself stands on.
    pub(super) fn config(&self, number: usize) -> Option<&'a BaseConfig> {
        let footing = &self.stages[number];
        config(self.options, &footing.origin, footing.image.as_ref())
    }

    /// The ONBUILD instructions of stage `number`, as an image of it keeps them.
    pub(super) fn onbuild(&self, number: usize) -> Vec<String> {
        let instructions = self.file.stages[number].instructions.iter();
        instructions.filter_map(replayed).map(Instruction::inner_text).collect()
    }

    /// The origin that COPY's `--from` names.
    pub(super) fn copied_from(&self, from: &str, line: usize) -> Result<Origin, AnalysisError> {
        match from.parse::<i64>() {
            Err(_) => Ok(self.mounted_from(from)),
            Ok(number) => usize::try_from(number)
                .ok()
                .filter(|number| *number < self.stages.len())
                .map(|number| self.of_stage(number))
                .ok_or(AnalysisError::StageNumber { line, number, stages: self.stages.len() }),
        }
    }

    /// The origin that a mount's `from` names: BuildKit knows no numbers here.
    pub(super) fn mounted_from(&self, from: &str) -> Origin {
        match self.named(from) {
            Some(number) => self.of_stage(number),
            None => outside(from, self.options),
        }
    }

    fn of_stage(&self, number: usize) -> Origin {
        let footing = &self.stages[number];
        if footing.replaced { footing.origin.clone() } else { Origin::Stage(number) }
    }

    /// The origins that `instruction` copies or mounts from.
    fn sources(&self, instruction: &Instruction) -> Result<Vec<Origin>, AnalysisError> {
        match &instruction.kind {
            Kind::Copy(_) => match instruction.flags.value("from").map(super::flags::Value::text) {
                Some(from) if !from.is_empty() => Ok(vec![self.copied_from(&from, instruction.line)?]),
                _ => Ok(Vec::new()),
            },
            Kind::Run => {
                let mounts = instruction.flags.values("mount");
                let fields = mounts.filter_map(|mount| Fields::new(&mount.chars()));
                let froms = fields.filter_map(|fields| fields.from()?.value.clone());
                Ok(froms.filter(|from| !from.is_empty()).map(|from| self.mounted_from(&from)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn footing(
        &self,
        stage: &Stage,
        (globals, newest): (&Globals, Option<&Globals>),
    ) -> Result<Footing, AnalysisError> {
        let line = stage.from.line;
        let newest_rules = Rules::expanding(self.file.escape);
        let rules = Rules { frontend: self.frontend, ..newest_rules };
        let failed = |reason| AnalysisError::Expand { line, reason };
        let mut read = globals.expand(&stage.image.text, rules).map_err(failed);
        let mut settled = None;
        if let Some(newest) = newest {
            let meant = newest.expand(&stage.image.text, newest_rules).map_err(failed)?;
            let is_stage = |name: &str| self.names.contains_key(name);
            if !read.as_ref().is_ok_and(|(name, _)| *name == meant.0 || is_stage(name)) {
                settled = Some(meant.0.clone()).filter(|name| is_stage(name));
                read = Ok(meant);
            }
        }
        let (image, mut args) = read?;
        if image.is_empty() {
            return Err(AnalysisError::BlankImage { line, word: stage.image.text.clone() });
        }
        let platform = match stage.from.flags.value("platform").map(super::flags::Value::text) {
            None => None,
            Some(word) if word.is_empty() => None,
            Some(word) => {
                let (platform, more) = globals.expand(&word, rules).map_err(failed)?;
                args.extend(more);
                if crate::platform::Platform::new(&platform, None).is_none() {
                    return Err(AnalysisError::StagePlatform { line, platform, word });
                }
                Some(platform)
            }
        };
        let context = stage.name.as_ref().and_then(|name| named(name, self.options));
        let replaced = context.is_some();
        let origin = match (context, self.names.get(image.as_str())) {
            (Some(_), Some(number)) if self.frontend.inherits_too_much() => self.of_stage(*number),
            (Some(context), _) => context,
            (None, Some(number)) => self.of_stage(*number),
            (None, None) => outside(&image, self.options),
        };
        let image = match &origin {
            Origin::Image(name, _) | Origin::External(name) => {
                let platform = self.platform(platform.as_deref());
                Some(PlatformImage { name: name.clone(), platform })
            }
            Origin::Stage(_) | Origin::Scratch | Origin::Context(_) => None,
        };
        let known = config(self.options, &origin, image.as_ref());
        let trigger = |text: &String| Instruction::replayed(text, line, self.frontend);
        let triggers = known.map(|config| config.onbuild.iter().map(trigger).collect()).unwrap_or_default();
        Ok(Footing { origin, platform, args, replaced, settled, image, triggers })
    }

    /// The normal form of the platform that a stage asks for, or of the one that is built for.
    fn platform(&self, asked: Option<&str>) -> String {
        let build = Platform::new(self.options.build_platform, None);
        let text = asked.unwrap_or(self.options.platform);
        Platform::new(text, build.as_ref()).map_or_else(|| text.to_owned(), |normal| normal.to_string())
    }
}

/// The error for a target whose name no stage has.
fn unknown_target(target: &str, file: &Dockerfile) -> AnalysisError {
    let lower = target.to_lowercase();
    let names: Vec<&str> = file.stage_names().collect();
    let similar = nearest(&lower, names.iter().copied());
    let listed = match names.as_slice() {
        [] => "no stage of the file has a name; add one with `FROM <image> AS <name>`".to_owned(),
        names => format!("the stages are `{}`", names.join("`, `")),
    };
    let hint = similar.map_or(listed.clone(), |name| format!("did you mean `{name}`? {listed}"));
    AnalysisError::UnknownTarget { target: target.to_owned(), hint }
}

/// The instruction that an ONBUILD replays; none for other instructions.
fn replayed(instruction: &Instruction) -> Option<&Instruction> {
    match &instruction.kind {
        Kind::Onbuild(inner) => Some(inner),
        _ => None,
    }
}

/// The known configuration of an image that a stage stands on.
fn config<'a>(
    options: &Options<'a>,
    origin: &Origin,
    image: Option<&PlatformImage>,
) -> Option<&'a BaseConfig> {
    match origin {
        Origin::External(_) => options.bases.get(image?),
        Origin::Image(..) => options.built.get(image?),
        Origin::Stage(_) | Origin::Scratch | Origin::Context(_) => None,
    }
}

/// The origin that a name stands for if no stage has the name.
fn outside(name: &str, options: &Options<'_>) -> Origin {
    let short = familiar(name);
    if name == "scratch" {
        Origin::Scratch
    } else if let Some(context) = named(short, options) {
        context
    } else if options.images.contains(short) {
        Origin::Image(short.to_owned(), name.to_owned())
    } else {
        Origin::External(name.to_owned())
    }
}

/// The origin that the context of this name stands for, if there is such a context.
fn named(name: &str, options: &Options<'_>) -> Option<Origin> {
    let reserved = name.eq_ignore_ascii_case("scratch") || name.eq_ignore_ascii_case("context");
    let context = options.contexts.get(name).filter(|_| !reserved)?;
    Some(match context {
        NamedContext::Files => Origin::Context(name.to_owned()),
        NamedContext::Image(image) => Origin::Image(image.clone(), image.clone()),
        NamedContext::External(reference) => Origin::External(reference.clone()),
    })
}

/// The image's name without the parts that Docker adds by default: BuildKit looks for named contexts by this form.
#[must_use]
pub fn familiar(name: &str) -> &str {
    let name = match name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/")) {
        Some(path) => path.strip_prefix("library/").unwrap_or(path),
        None => name.strip_prefix("library/").unwrap_or(name),
    };
    name.strip_suffix(":latest").unwrap_or(name)
}
