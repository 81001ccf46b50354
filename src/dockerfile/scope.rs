//! The values of variables at a point of the file. Start with [`Globals`] before the stages, [`Scope`] within a stage.
//!
//! BuildKit's `frontend/dockerfile/dockerfile2llb/convert.go` has the rules: an ARG takes the given value, else
//! its default, else the global one; ARG and ENV share one table, and the last one wins.

use std::collections::{BTreeMap, BTreeSet};

use super::configs::{BaseConfig, PlatformImage, Rest};
use super::frontend::{Change, Frontend};
use super::text::{ExpandError, Rules, Text, Variable};
use super::words::expand;
use crate::platform::Platform;

/// The arguments that are declared before the first stage, and the platform arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globals {
    values: BTreeMap<String, String>,
    /// The given arguments that each value comes from, by the value's name.
    sources: BTreeMap<String, BTreeSet<String>>,
    /// The names that are empty outside of stages, and give no value within them.
    blank: BTreeSet<String>,
}

/// The variables of a stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The values by name; none where a value is set that cannot be told.
    values: BTreeMap<String, Option<String>>,
    /// The variables that the image keeps: those that ENV sets.
    env: BTreeMap<String, Option<String>>,
    /// The variables that the image which the stage stands on may have set besides.
    rest: Rest,
}

/// The given build arguments.
pub(crate) type Given = BTreeMap<String, String>;

impl Globals {
    /// The platform arguments, with their given values or else those of the platforms.
    pub(crate) fn new(
        (target, build): (&Platform, &Platform),
        stage: &str,
        given: &Given,
        frontend: Frontend,
    ) -> Self {
        let mut globals = Self::default();
        let known = |name: &str| match name {
            "TARGETSTAGE" => frontend.has(Change::TargetStage),
            "BUILDOSVERSION" | "TARGETOSVERSION" => frontend.has(Change::OsVersions),
            _ => true,
        };
        let defaults = [
            ("BUILDPLATFORM", build.to_string()),
            ("BUILDOS", build.os.clone()),
            ("BUILDOSVERSION", String::new()),
            ("BUILDARCH", build.architecture.clone()),
            ("BUILDVARIANT", build.variant.clone()),
            ("TARGETPLATFORM", target.to_string()),
            ("TARGETOS", target.os.clone()),
            ("TARGETOSVERSION", String::new()),
            ("TARGETARCH", target.architecture.clone()),
            ("TARGETVARIANT", target.variant.clone()),
            ("TARGETSTAGE", stage.to_owned()),
        ];
        for (name, default) in defaults.into_iter().filter(|(name, _)| known(name)) {
            globals.set(name, given.get(name).cloned().unwrap_or(default), given, BTreeSet::new());
        }
        globals
    }

    /// Declares an argument.
    pub(crate) fn declare(
        &mut self,
        name: &str,
        default: Option<&str>,
        rules: Rules,
        given: &Given,
    ) -> Result<(), ExpandError> {
        if let Some(value) = given.get(name) {
            self.set(name, value.clone(), given, BTreeSet::new());
        } else if let Some(default) = default {
            let (value, sources) = match self.expand(default, rules) {
                Err(_) if !rules.frontend.has(Change::GlobalErrors) => Default::default(),
                expanded => expanded?,
            };
            self.set(name, value, given, sources);
        } else if !rules.frontend.has(Change::BlankGlobals) {
            self.set(name, String::new(), given, BTreeSet::new());
            self.blank.insert(name.to_owned());
        }
        Ok(())
    }

    /// Expands `word`; returns the text and the given arguments that the text comes from.
    pub(crate) fn expand(&self, word: &str, rules: Rules) -> Result<(String, BTreeSet<String>), ExpandError> {
        let mut sources = BTreeSet::new();
        let text = expand(word, rules, &mut |name| {
            sources.extend(self.sources(name));
            self.values.get(name).map_or(Variable::Unset, |value| Variable::Set(value.clone()))
        })?;
        Ok((text.value, sources))
    }

    /// The value of `name`, for an ARG within a stage.
    pub(crate) fn get(&self, name: &str) -> Option<&String> {
        self.values.get(name).filter(|_| !self.blank.contains(name))
    }

    /// The given arguments that the value of `name` comes from.
    pub(crate) fn sources(&self, name: &str) -> BTreeSet<String> {
        self.sources.get(name).cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: String, given: &Given, mut sources: BTreeSet<String>) {
        if given.contains_key(name) {
            sources.insert(name.to_owned());
        }
        self.values.insert(name.to_owned(), value);
        self.blank.remove(name);
        self.sources.insert(name.to_owned(), sources);
    }
}

impl Scope {
    /// The scope of a stage that stands on an image of this configuration.
    pub(crate) fn of_image(config: &BaseConfig) -> Self {
        Self { values: config.env.clone(), env: config.env.clone(), rest: config.rest.clone() }
    }

    /// The scope of a stage of which `rest` is all that is known.
    pub(crate) fn unknown(rest: Rest) -> Self {
        Self { rest, ..Self::default() }
    }

    /// Forgets all values: any variable may have been set.
    pub(crate) fn open(&mut self) {
        *self = Self::unknown(Rest::Anything);
    }

    /// The image whose variables would make the scope more exact.
    pub(crate) fn unread(&self) -> Option<&PlatformImage> {
        match &self.rest {
            Rest::Of(image) => Some(image),
            Rest::Nothing | Rest::Anything => None,
        }
    }

    /// The configuration of an image of this stage, for builds that stand on the image.
    pub(crate) fn config(self, onbuild: Vec<String>) -> BaseConfig {
        BaseConfig { env: self.env, rest: self.rest, onbuild }
    }

    /// Expands `word` by the scope's values.
    pub(crate) fn expand(&self, word: &str, rules: Rules) -> Result<Text, ExpandError> {
        expand(word, rules, &mut |name| match self.values.get(name) {
            Some(Some(value)) => Variable::Set(value.clone()),
            Some(None) => Variable::Unknown,
            // An image always has a PATH, by default one that depends on its platform.
            None if self.rest != Rest::Nothing || name == "PATH" => Variable::Unknown,
            None => Variable::Unset,
        })
    }

    /// Sets `name` for the rest of the stage.
    pub(crate) fn set(&mut self, name: &str, value: Text) {
        let known = value.unknown.is_none().then_some(value.value);
        self.values.insert(name.to_owned(), known);
    }

    /// Sets `name` for the rest of the stage, unless it is set already.
    pub(crate) fn set_first(&mut self, name: &str, value: Text) {
        if self.values.contains_key(name) {
            return;
        }
        let unsure = self.rest != Rest::Nothing;
        let known = value.unknown.is_none().then_some(value.value);
        self.values.insert(name.to_owned(), known.filter(|_| !unsure));
    }

    /// The scope without the arguments: the variables that an image of the stage keeps.
    pub(crate) fn without_arguments(self) -> Self {
        Self { values: self.env.clone(), ..self }
    }

    /// Sets `name` for the rest of the stage, and in the image.
    pub(crate) fn set_env(&mut self, name: &str, value: Text) {
        let known = value.unknown.is_none().then_some(value.value);
        self.env.insert(name.to_owned(), known.clone());
        self.values.insert(name.to_owned(), known);
    }
}
