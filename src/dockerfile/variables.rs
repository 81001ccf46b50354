//! Arguments and variables on the way through a file: the part of a [`Reading`] that finds their declarations, their
//! values, and the variables that a stage starts with.

use std::collections::BTreeSet;

use super::analysis::AnalysisError;
use super::arguments::is_predefined;
use super::configs::Rest;
use super::frontend::Change;
use super::instruction::{Instruction, Kind};
use super::reading::Reading;
use super::scope::Scope;
use super::stages::Origin;
use super::text::Text;

impl Reading<'_> {
    pub(super) fn arguments(
        &mut self,
        instruction: &Instruction,
        pairs: &[(String, Option<String>)],
        scope: &mut Scope,
    ) -> Result<(), AnalysisError> {
        let frontend = self.rules.frontend;
        let before = (!frontend.has(Change::ArgumentOrder)).then(|| scope.clone());
        for (name, default) in pairs {
            let expanded;
            let name = match &before {
                Some(before) => {
                    expanded = self.expand(name, before, instruction.line)?.value;
                    &expanded
                }
                None => name,
            };
            let value = if let Some(given) = self.options.args.get(name) {
                self.found.declared_args.insert(name.clone());
                Text::known(given)
            } else if let Some(default) = default {
                self.expand(default, before.as_ref().unwrap_or(scope), instruction.line)?
            } else if let Some(global) = self.globals.get(name) {
                self.found.declared_args.extend(self.globals.sources(name));
                Text::known(global)
            } else {
                continue;
            };
            // BuildKit keeps these two for itself.
            let own = matches!(name.as_str(), "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE");
            if own && frontend.has(Change::ScanArguments) {
                continue;
            }
            if frontend.has(Change::LastWins) { scope.set(name, value) } else { scope.set_first(name, value) }
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
                let scope = self.scopes.get(base).cloned().unwrap_or_else(|| Scope::unknown(Rest::Anything));
                if self.rules.frontend.has(Change::LastWins) { scope } else { scope.without_arguments() }
            }
            (_, Some(config), _) => Scope::of_image(config),
            (Origin::External(_), None, Some(image)) => Scope::unknown(Rest::Of(image.clone())),
            _ => Scope::unknown(Rest::Anything),
        }
    }

    /// Notes the given arguments that mean something to BuildKit, and those that mean nothing to anybody.
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

fn declared_by(instruction: &Instruction) -> Vec<&str> {
    match &instruction.kind {
        Kind::Arg(pairs) => pairs.iter().map(|(name, _)| name.as_str()).collect(),
        Kind::Onbuild(inner) => declared_by(inner),
        _ => Vec::new(),
    }
}
