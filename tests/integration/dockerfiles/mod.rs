//! The corpus of `tests/fixtures/dockerfiles`: what is read of each file, and what an engine asks for when it builds
//! it.
//!
//! Each file is named after the construct that it holds; `options.toml` beside them says what else a build is given,
//! and which files need a newer frontend than Docker 20.10's. `expected.txt` is written by
//! `UPDATE_DOCS=1 cargo test --test integration dockerfiles` and read by whoever changes it.
#![expect(clippy::print_stdout, reason = "the figures are what the tests are for")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dtbuild::dockerfile::{Analysis, Dockerfile, Inputs, NamedContext, Options};
use futures_util::StreamExt as _;
use serde::Deserialize;

use self::session::{Asked, asked};
use crate::engine::fixture::variable;

mod session;

/// How many builds run at a time.
const AT_A_TIME: usize = 8;

/// What `options.toml` says of a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    target: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, String>,
    /// Further contexts, all of them local folders.
    #[serde(default)]
    contexts: BTreeSet<String>,
    /// Whether Docker 28 is needed.
    #[serde(default)]
    newer: bool,
    /// What the frontend of Docker 20.10 asks the main context for, where that is not what the newest asks for.
    older: Option<BTreeSet<String>>,
    /// Why engines do not read it, where dtbuild does and says so in the file of expectations.
    only_here: Option<String>,
    /// Why engines ask for the whole context, where no more than the paths alters the image.
    asks_for_all: Option<String>,
}

struct Fixture {
    name: String,
    text: Vec<u8>,
    given: Given,
}

impl Fixture {
    fn all() -> Vec<Self> {
        let options = std::fs::read_to_string(folder().join("options.toml")).unwrap();
        let mut options: BTreeMap<String, Given> = toml::from_str(&options).unwrap();
        let mut fixtures = Vec::new();
        for entry in std::fs::read_dir(folder()).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            let Some(name) = file.strip_suffix(".dockerfile") else { continue };
            let (text, given) = (std::fs::read(&path).unwrap(), options.remove(name).unwrap_or_default());
            fixtures.push(Self { name: name.to_owned(), text, given });
        }
        assert!(options.is_empty(), "options without a file: {:?}", options.keys());
        fixtures.sort_by(|left, right| left.name.cmp(&right.name));
        fixtures
    }

    fn analysis(&self) -> Result<Analysis, String> {
        let file = Dockerfile::parse(&self.text).map_err(|error| error.to_string())?;
        let contexts = self.given.contexts.iter().map(|name| (name.clone(), NamedContext::Files)).collect();
        let options = Options {
            target: self.given.target.as_deref(),
            args: &self.given.args,
            platform: "linux/amd64",
            build_platform: "linux/amd64",
            images: &BTreeSet::new(),
            contexts: &contexts,
            bases: &BTreeMap::new(),
            built: &BTreeMap::new(),
        };
        file.analyse(&options).map_err(|error| error.to_string())
    }

    /// What an engine is expected to ask for; nothing of a file that is refused.
    fn expected(&self, newest: bool) -> Asked {
        let Ok(analysis) = self.analysis() else { return Asked::new() };
        let reads = |inputs: &Inputs| inputs.follow_paths().is_none_or(|paths| !paths.is_empty());
        let paths = |inputs: &Inputs| {
            Some(inputs.follow_paths()?.into_iter().map(str::to_owned).collect::<BTreeSet<_>>())
        };
        let main = Some(("context".to_owned(), &analysis.inputs)).into_iter();
        let further = analysis.contexts.iter().map(|(name, inputs)| (name.clone(), inputs));
        let mut asked: Asked = main
            .chain(further)
            .filter(|(_, inputs)| reads(inputs))
            .map(|(name, inputs)| (name, paths(inputs)))
            .collect();
        if let Some(older) = self.given.older.as_ref().filter(|_| !newest) {
            let counts = |path: &String| analysis.inputs.sources.iter().any(|source| source.path == *path);
            assert!(older.iter().all(counts), "{}: what 20.10 reads is no input", self.name);
            asked.insert("context".to_owned(), Some(older.clone()));
        }
        if self.given.asks_for_all.is_some() {
            let named = asked.insert("context".to_owned(), None);
            assert!(matches!(named, Some(Some(_))), "{} is no exception", self.name);
        }
        asked
    }

    fn attributes(&self) -> HashMap<String, String> {
        let mut attributes = HashMap::new();
        attributes
            .extend(self.given.args.iter().map(|(name, value)| (format!("build-arg:{name}"), value.clone())));
        attributes.extend(self.given.target.iter().map(|target| ("target".to_owned(), target.clone())));
        for name in &self.given.contexts {
            attributes.insert(format!("context:{name}"), format!("local:{name}"));
        }
        attributes
    }

    /// The difference between what the engine at `socket` asks for and what is expected; none if there is none.
    async fn difference(&self, socket: &Path, newest: bool) -> Option<String> {
        let expected = self.expected(newest);
        let (found, ended) = asked(socket, &self.text, self.attributes(), expected.len()).await;
        let refused = self.analysis().err();
        let alike = match (&refused, &ended) {
            (Some(_), Err(_)) => found.is_empty(),
            (Some(_), Ok(())) => false,
            // A build that needs no file has to come to its end.
            (None, ended) => found == expected && (ended.is_ok() || !expected.is_empty()),
        };
        let name = &self.name;
        (!alike).then(|| {
            format!("{name}: the engine asks for {found:?} and ends with {ended:?}; expected {expected:?} {refused:?}")
        })
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dockerfiles")
}

#[test]
fn corpus_is_read_as_it_is_expected() {
    let fixtures = Fixture::all();
    let mut found = String::new();
    for fixture in &fixtures {
        writeln!(found, "{}\n{}", fixture.name, shown(fixture.analysis())).unwrap();
    }
    let path = folder().join("expected.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for (kept, found) in kept.split("\n\n").zip(found.split("\n\n")) {
        assert_eq!(kept, found);
    }
    assert_eq!(kept, found);
    assert!(fixtures.len() >= 150, "{} files", fixtures.len());
}

/// An analysis, a line for each thing that it says.
fn shown(analysis: Result<Analysis, String>) -> String {
    let analysis = match analysis {
        Ok(analysis) => analysis,
        Err(error) => return format!("  refused: {error}\n"),
    };
    let mut text = String::new();
    let mut line = |what: &str, items: Vec<String>| {
        if !items.is_empty() {
            writeln!(text, "  {what}: {}", items.join(" ")).unwrap();
        }
    };
    let stage = |stage: &dtbuild::dockerfile::ReachedStage| match &stage.name {
        Some(name) => format!("{}={name}", stage.number),
        None => stage.number.to_string(),
    };
    let base = |base: &dtbuild::dockerfile::Base| match &base.platform {
        Some(platform) => format!("{}[{platform}]", base.name),
        None => base.name.clone(),
    };
    let paths = |inputs: &Inputs| -> Vec<String> {
        let everything = || vec!["(everything)".to_owned()];
        inputs
            .follow_paths()
            .map_or_else(everything, |paths| paths.iter().map(|path| format!("`{path}`")).collect())
    };
    let older = analysis.inputs.sources.iter().filter_map(|source| {
        let version = source.before?;
        Some(format!("`{}` (before 1.{version})", source.path))
    });
    line("stages", analysis.stages.iter().map(stage).collect());
    line("bases", analysis.bases.iter().map(base).collect());
    line("args", analysis.declared_args.iter().cloned().collect());
    line("undeclared", analysis.undeclared_args.iter().cloned().collect());
    line("context", paths(&analysis.inputs));
    line("older", older.collect());
    for (name, inputs) in &analysis.contexts {
        line(&format!("context `{name}`"), paths(inputs));
    }
    line("fetched", analysis.remotes.iter().map(|remote| remote.url.clone()).collect());
    for note in &analysis.notes {
        line("note", vec![format!("line {}: {:?}", note.line, note.kind)]);
    }
    text
}

/// Builds every fixture that the engine's frontend reads, some at a time.
async fn compare(engine: &str, newest: bool) -> usize {
    let socket = PathBuf::from(engine.strip_prefix("unix://").expect("a socket"));
    let fixtures = Fixture::all();
    let readable = |fixture: &Fixture| fixture.given.only_here.is_none() && (newest || !fixture.given.newer);
    let (readable, left): (Vec<_>, Vec<_>) = fixtures.iter().partition(|fixture| readable(fixture));
    let mut differences = Vec::new();
    let mut open =
        futures_util::stream::iter(readable.iter().map(|fixture| fixture.difference(&socket, newest)))
            .buffer_unordered(AT_A_TIME);
    while let Some(difference) = open.next().await {
        differences.extend(difference.inspect(|text| println!("{text}")));
    }
    let left: Vec<&str> = left.iter().map(|fixture| fixture.name.as_str()).collect();
    println!(
        "{engine}: {} of {} files compared, {} differences; its frontend does not read {}",
        readable.len(),
        fixtures.len(),
        differences.len(),
        left.join(" ")
    );
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    readable.len()
}

#[tokio::test]
async fn inputs_of_the_corpus_are_what_the_engine_asks_for() {
    let compared = compare(&variable("DOCKER_HOST"), false).await;
    assert!(compared >= 150, "{compared} files");
}

#[tokio::test]
async fn inputs_of_the_corpus_are_what_docker_28_asks_for() {
    let compared = compare(&variable("DTBUILD_TEST_ENGINE_28"), true).await;
    assert!(compared >= 150, "{compared} files");
}
