//! Arguments and variables on the way through a file: what is declared, with which value, and what a stage starts with.

use std::collections::BTreeSet;

use super::Dockerfile;
use super::analysis::{AnalysisError, Options};
use super::configs::Rest;
use super::instruction::{Instruction, Kind};
use super::reading::Reading;
use super::scope::{Globals, Scope};
use super::stages::Origin;
use super::words::{Rules, Text};
use crate::platform::Platform;

/// Arguments that are passed to a build's network access, and not to its cache.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

/// Arguments that need no declaration outside of stages.
const PLATFORM: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

impl Reading<'_> {
    pub(super) fn arguments(
        &mut self,
        instruction: &Instruction,
        pairs: &[(String, Option<String>)],
        scope: &mut Scope,
    ) -> Result<(), AnalysisError> {
        for (name, default) in pairs {
            let value = if let Some(given) = self.options.args.get(name) {
                self.found.declared_args.insert(name.clone());
                Text::known(given)
            } else if let Some(default) = default {
                self.expand(default, scope, instruction.line)?
            } else if let Some(global) = self.globals.get(name) {
                self.found.declared_args.extend(self.globals.sources(name));
                Text::known(global)
            } else {
                continue;
            };
            // BuildKit keeps these two for itself.
            if !matches!(name.as_str(), "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE") {
                scope.set(name, value);
            }
        }
        Ok(())
    }

    pub(super) fn variables(
        &mut self,
        instruction: &Instruction,
        pairs: &[(String, String)],
        scope: &mut Scope,
    ) -> Result<(), AnalysisError> {
        // All values see the variables as they were before the instruction.
        let before = scope.clone();
        for (name, value) in pairs {
            let name = self.expand(name, &before, instruction.line)?;
            let value = self.expand(value, &before, instruction.line)?;
            if name.unknown.is_none() {
                scope.set_env(&name.value, value);
            } else {
                scope.open();
            }
        }
        Ok(())
    }

    pub(super) fn expand(&self, word: &str, scope: &Scope, line: usize) -> Result<Text, AnalysisError> {
        scope.expand(word, self.rules).map_err(|reason| AnalysisError::Expand { line, reason })
    }

    pub(super) fn scope_of(&self, number: usize) -> Scope {
        let footing = self.graph.stage(number);
        match (&footing.origin, self.graph.config(number), &footing.image) {
            (Origin::Scratch, ..) => Scope::default(),
            (Origin::Stage(base), ..) => {
                self.scopes.get(base).cloned().unwrap_or_else(|| Scope::unknown(Rest::Anything))
            }
            (_, Some(config), _) => Scope::of_image(config),
            (Origin::External(_), None, Some(image)) => Scope::unknown(Rest::Of(image.clone())),
            _ => Scope::unknown(Rest::Anything),
        }
    }

    /// Notes what of the given arguments means something to BuildKit, and what means nothing to anybody.
    pub(super) fn meaningful_arguments(&mut self, reached: &BTreeSet<usize>) {
        for name in self.options.args.keys() {
            if name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" {
                self.found.declared_args.insert(name.clone());
            }
        }
        self.found.undeclared_args = self.undeclared(reached);
    }

    /// The given arguments that no ARG declares, in whatever stage, and that mean nothing to BuildKit.
    fn undeclared(&self, reached: &BTreeSet<usize>) -> BTreeSet<String> {
        let own = self.file.stages.iter().flat_map(|stage| &stage.instructions);
        let replayed = reached.iter().flat_map(|number| self.graph.instructions(*number));
        let all = self.file.globals.iter().chain(own).chain(replayed);
        let declared: BTreeSet<&str> = all.flat_map(declared_by).collect();
        let given = self.options.args.keys();
        let meaningless = given.filter(|name| !declared.contains(name.as_str()) && !is_predefined(name));
        meaningless.filter(|name| !self.found.declared_args.contains(*name)).cloned().collect()
    }
}

/// The arguments before the first stage, with what the build itself declares.
pub(super) fn globals(
    file: &Dockerfile,
    options: &Options<'_>,
    rules: Rules,
) -> Result<Globals, AnalysisError> {
    let platform = |text: &str, host: Option<&Platform>| {
        Platform::new(text, host).ok_or_else(|| AnalysisError::Platform(text.to_owned()))
    };
    let build = platform(options.build_platform, None)?;
    let target = platform(options.platform, Some(&build))?;
    let last = file.stages.last().and_then(|stage| stage.name.as_deref());
    let stage = options.target.filter(|target| !target.is_empty()).or(last).unwrap_or("default");
    let mut globals = Globals::new(&target, &build, stage, options.args);
    for instruction in &file.globals {
        let Kind::Arg(pairs) = &instruction.kind else { continue };
        for (name, default) in pairs {
            globals
                .declare(name, default.as_deref(), rules, options.args)
                .map_err(|reason| AnalysisError::Expand { line: instruction.line, reason })?;
        }
    }
    Ok(globals)
}

fn declared_by(instruction: &Instruction) -> Vec<&str> {
    match &instruction.kind {
        Kind::Arg(pairs) => pairs.iter().map(|(name, _)| name.as_str()).collect(),
        Kind::Onbuild(inner) => declared_by(inner),
        _ => Vec::new(),
    }
}

pub(super) fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
}

fn is_predefined(name: &str) -> bool {
    is_proxy(name) || PLATFORM.contains(&name) || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
}
