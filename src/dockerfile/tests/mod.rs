//! The specification of the parser and the analysis, as tables of short Dockerfiles.
//!
//! A table's right side is a [`Setup::summary`]: the files that are read, the images that the build stands on, the
//! notes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Analysis, AnalysisError, BaseConfig, Configs, Dockerfile, Inputs, NamedContext, Options, PlatformImage,
    Rest,
};

mod arguments;
mod errors;
mod expansion;
mod inputs;
mod notes;
mod older;
mod pins;
mod properties;
mod stages;
mod syntax;

/// The options that are given beside the file.
#[derive(Clone, Debug)]
struct Setup {
    target: Option<String>,
    args: BTreeMap<String, String>,
    platform: String,
    images: BTreeSet<String>,
    contexts: BTreeMap<String, NamedContext>,
    bases: Configs,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            target: None,
            args: BTreeMap::new(),
            platform: "linux/amd64".to_owned(),
            images: BTreeSet::new(),
            contexts: BTreeMap::new(),
            bases: Configs::new(),
        }
    }
}

impl Setup {
    fn target(mut self, name: &str) -> Self {
        self.target = Some(name.to_owned());
        self
    }

    fn platform(mut self, name: &str) -> Self {
        name.clone_into(&mut self.platform);
        self
    }

    fn args(mut self, pairs: &[(&str, &str)]) -> Self {
        self.args.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    fn images(mut self, names: &[&str]) -> Self {
        self.images.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    fn contexts(self, names: &[&str]) -> Self {
        names.iter().fold(self, |setup, name| setup.context(name, NamedContext::Files))
    }

    fn context(mut self, name: &str, context: NamedContext) -> Self {
        self.contexts.insert(name.to_owned(), context);
        self
    }

    fn base(mut self, name: &str, env: &[(&str, &str)], onbuild: &[&str]) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        let onbuild = onbuild.iter().map(|text| (*text).to_owned()).collect();
        let image = PlatformImage { name: name.to_owned(), platform: "linux/amd64".to_owned() };
        self.bases.insert(image, BaseConfig { env, rest: Rest::Nothing, onbuild });
        self
    }

    fn try_analyse(&self, file: &Dockerfile) -> Result<Analysis, AnalysisError> {
        file.analyse(&Options {
            target: self.target.as_deref(),
            args: &self.args,
            platform: &self.platform,
            build_platform: "linux/amd64",
            images: &self.images,
            contexts: &self.contexts,
            bases: &self.bases,
            built: &self.bases,
        })
    }

    fn analyse(&self, text: &str) -> Analysis {
        let file = Dockerfile::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        self.try_analyse(&file).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// `paths, or all; on: bases; after: dependencies; from <context>: paths; fetches: addresses; before 1.<minor>: path`,
    /// what is empty left out; a `?` marks what is wider than the file.
    fn summary(&self, text: &str) -> String {
        let found = self.analyse(text);
        let widened = if found.notes.iter().any(|note| note.kind.widens()) { "?" } else { "" };
        let mut parts = vec![format!("{}{widened}", paths(&found.inputs))];
        let bases: Vec<String> = found
            .bases
            .iter()
            .map(|base| base.platform.as_ref().map_or(base.name.clone(), |p| format!("{}[{p}]", base.name)))
            .collect();
        let after: Vec<&str> = found.dependencies.iter().map(|image| image.name.as_str()).collect();
        let fetched: Vec<&str> = found.remotes.iter().map(|remote| remote.url.as_str()).collect();
        parts.push(part("on", &bases.join(" ")));
        parts.push(part("after", &after.join(" ")));
        parts.extend(found.contexts.iter().map(|(name, inputs)| format!("from {name}: {}", paths(inputs))));
        parts.push(part("fetches", &fetched.join(" ")));
        for source in &found.inputs.sources {
            let before = |version| format!("before 1.{version}: {}", source.path);
            parts.extend(source.before.filter(|_| !found.inputs.whole).map(before));
        }
        parts.retain(|part| !part.is_empty());
        parts.join("; ")
    }

    fn check(&self, table: &[(&str, &str)]) {
        for (text, expected) in table {
            assert_eq!(self.summary(text), *expected, "{text}");
        }
    }
}

fn part(name: &str, values: &str) -> String {
    if values.is_empty() { String::new() } else { format!("{name}: {values}") }
}

fn paths(inputs: &Inputs) -> String {
    if inputs.whole {
        return "all".to_owned();
    }
    let every = inputs.sources.iter().filter(|source| source.before.is_none());
    let mut paths: Vec<&str> = every.map(|source| source.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.join(" ")
}
