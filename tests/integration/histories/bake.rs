//! What BuildKit makes of a checkout, built by Docker's own client. Start with [`Bake::build`].
//!
//! Nothing of dtbuild takes part: `docker-buildx bake` reads the files from the disk and applies `.dockerignore`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine::fixture::variable;

/// `docker-buildx` with the engine that it builds on.
pub(super) struct Bake {
    program: PathBuf,
    folder: TempDir,
    /// The label of all images of the run, by which they are removed.
    label: String,
}

/// What became of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The image's id; none where the build failed.
    pub(super) id: Option<String>,
    /// True if a step was not in the cache.
    pub(super) ran: bool,
}

/// An image as `build.toml` declares it, and as bake has it.
struct Target {
    definition: Value,
    /// The images of the same repository that it is built from.
    stands_on: BTreeSet<String>,
}

impl Bake {
    pub(super) fn new(salt: &str) -> Self {
        let program = variable("DTBUILD_TEST_BUILDX").into();
        Self { program, folder: tempfile::tempdir().unwrap(), label: format!("dtbuild.histories={salt}") }
    }

    /// The images of a checkout, those first that others stand on.
    pub(super) fn build(&self, root: &Path) -> BTreeMap<String, Outcome> {
        let mut open = self.targets(root);
        let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
        while !open.is_empty() {
            let is_ready = |target: &Target| target.stands_on.iter().all(|name| outcomes.contains_key(name));
            let (ready, later): (BTreeMap<_, _>, BTreeMap<_, _>) =
                open.into_iter().partition(|(_, target)| is_ready(target));
            assert!(!ready.is_empty(), "images stand on each other: {:?}", later.keys());
            open = later;
            // What stands on an image that failed must not find the tag of an earlier commit.
            let stands = |target: &Target| target.stands_on.iter().all(|name| outcomes[name].id.is_some());
            let (whole, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
                ready.into_iter().partition(|(_, target)| stands(target));
            outcomes.extend(lost.into_keys().map(|name| (name, Outcome { id: None, ran: false })));
            outcomes.extend(self.bake(root, &whole));
        }
        outcomes
    }

    /// What an image of a checkout holds besides times, made anew; none where the build fails.
    pub(super) fn content(&self, root: &Path, name: &str) -> Option<(Vec<String>, Value)> {
        self.build(root).remove(name)?.id?;
        let mut target = self.targets(root).remove(name)?;
        let place = tempfile::tempdir().unwrap();
        let reference = target.definition["tags"][0].as_str().unwrap().to_owned();
        target.definition["output"] = json!([format!("type=local,dest={}", place.path().display())]);
        target.definition["no-cache"] = true.into();
        self.run(root, &BTreeMap::from([(name.to_owned(), target)])).status.success().then_some(())?;
        let mut paths = Vec::new();
        list(place.path(), place.path(), &mut paths);
        let inspect = ["image", "inspect", "--format", "{{json .Config}}", &reference];
        let config = self.docker().args(inspect).output().unwrap().stdout;
        Some((paths, serde_json::from_slice(&config).unwrap()))
    }

    fn bake(&self, root: &Path, targets: &BTreeMap<String, Target>) -> BTreeMap<String, Outcome> {
        if targets.is_empty() {
            return BTreeMap::new();
        }
        let output = self.run(root, targets);
        if output.status.success() {
            let answers: Value = serde_json::from_slice(&std::fs::read(self.answers()).unwrap()).unwrap();
            let ran = ran(&output, targets);
            let outcome = |name: &String| {
                let id = answers[name]["containerimage.digest"].as_str().map(str::to_owned);
                (name.clone(), Outcome { id, ran: ran.contains(name) })
            };
            return targets.keys().map(outcome).collect();
        }
        if let [name] = targets.keys().collect::<Vec<_>>()[..] {
            return BTreeMap::from([(name.clone(), Outcome { id: None, ran: true })]);
        }
        // One that fails ends the others, and what ran before that has run.
        let ran = ran(&output, targets);
        let alone = |(name, target): (&String, &Target)| {
            let target = Target { definition: target.definition.clone(), stands_on: BTreeSet::new() };
            let mut outcomes = self.bake(root, &BTreeMap::from([(name.clone(), target)]));
            let mut outcome = outcomes.remove(name).unwrap();
            outcome.ran |= ran.contains(name);
            (name.clone(), outcome)
        };
        targets.iter().map(alone).collect()
    }

    fn run(&self, root: &Path, targets: &BTreeMap<String, Target>) -> Output {
        let file = self.folder.path().join("bake.json");
        let definitions: serde_json::Map<_, _> =
            targets.iter().map(|(name, target)| (name.clone(), target.definition.clone())).collect();
        std::fs::write(&file, json!({ "target": definitions }).to_string()).unwrap();
        let mut command = self.command();
        command.arg("bake").arg("--file").arg(&file).arg("--metadata-file").arg(self.answers());
        command.arg("--progress=rawjson").args(targets.keys()).current_dir(root);
        command.output().unwrap()
    }

    fn answers(&self) -> PathBuf {
        self.folder.path().join("answers.json")
    }

    /// The images of `build.toml` as targets of bake.
    fn targets(&self, root: &Path) -> BTreeMap<String, Target> {
        let config: toml::Value =
            toml::from_str(&std::fs::read_to_string(root.join("build.toml")).unwrap()).unwrap();
        let registry = config["project"]["registry"].as_str().unwrap();
        let images = config["images"].as_table().unwrap();
        let (label, value) = self.label.split_once('=').unwrap();
        let target = |(name, image): (&String, &toml::Value)| {
            let context = image["context"].as_str().unwrap();
            let dockerfile = image.get("dockerfile").map_or_else(
                || format!("{context}/Dockerfile"),
                |dockerfile| dockerfile.as_str().unwrap().to_owned(),
            );
            let path = root.join(&dockerfile);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let mut definition = json!({
                "context": context,
                "dockerfile": path,
                "tags": [format!("{registry}/{name}:latest")],
                "labels": { label: value },
                "output": ["type=docker"],
            });
            for (key, own) in [("target", "target"), ("args", "args"), ("contexts", "contexts")] {
                if let Some(own) = image.get(own) {
                    definition[key] = serde_json::to_value(own).unwrap();
                }
            }
            let names = |other: &&String| {
                let word = format!("{registry}/{other}");
                *other != name && text.split([' ', '\n', '=']).any(|found| found == word)
            };
            (name.clone(), Target { definition, stands_on: images.keys().filter(names).cloned().collect() })
        };
        images.iter().map(target).collect()
    }

    /// Builds and pushes a base image that no other run has, as `reference`.
    pub(super) fn push_base(&self, reference: &str, dockerfile: &str) {
        let context = tempfile::tempdir().unwrap();
        std::fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
        let mut command = self.command();
        command.args(["build", "--push", "--tag", reference, "--label", &self.label]).arg(context.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn docker(&self) -> Command {
        let mut command = Command::new(variable("DTBUILD_TEST_DOCKER"));
        command.env("DOCKER_CONFIG", self.folder.path()).env("DOCKER_HOST", variable("DOCKER_HOST"));
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("DOCKER_CONFIG", self.folder.path()).env("DOCKER_HOST", variable("DOCKER_HOST"));
        // An attestation has the time of its build in it.
        command.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1").env("BUILDX_METADATA_PROVENANCE", "disabled");
        command.env("BUILDX_BAKE_ENTITLEMENTS_FS", "0");
        command
    }
}

impl Drop for Bake {
    /// Removes the images of the run.
    fn drop(&mut self) {
        let prune = ["image", "prune", "--all", "--force", "--filter", &format!("label={}", self.label)];
        let _ = self.docker().args(prune).output();
    }
}

/// The files, folders and links below `folder`, with their modes and contents, sorted.
fn list(root: &Path, folder: &Path, paths: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            std::fs::read_link(&path).unwrap().display().to_string()
        } else if metadata.is_file() {
            blake3::hash(&std::fs::read(&path).unwrap()).to_string()
        } else {
            String::new()
        };
        let below = path.strip_prefix(root).unwrap().display();
        paths.push(format!("{below} {:o} {content}", metadata.mode()));
        if metadata.is_dir() {
            list(root, &path, paths);
        }
    }
}

/// The targets of which a step ran. A base image is no step: it is not always said that it was there.
fn ran(output: &Output, targets: &BTreeMap<String, Target>) -> BTreeSet<String> {
    let mut ran = BTreeSet::new();
    for line in output.stderr.split(|byte| *byte == b'\n') {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        for vertex in line["vertexes"].as_array().into_iter().flatten() {
            let done = vertex["completed"].is_string() && vertex["cached"] != true;
            let name = vertex["name"].as_str().unwrap_or_default();
            if let Some(target) = step_of(name).filter(|_| done) {
                // A build of one target does not name it.
                let alone = targets.keys().next().filter(|_| targets.len() == 1);
                ran.extend(alone.or_else(|| targets.get_key_value(target).map(|(name, _)| name)).cloned());
            }
        }
    }
    ran
}

/// The target, or the stage, of a step: `[api build 2/3] COPY ...`.
fn step_of(name: &str) -> Option<&str> {
    let (place, instruction) = name.strip_prefix('[')?.split_once("] ")?;
    let (words, number) = place.rsplit_once(' ').unwrap_or(("", place));
    let is_step = number.contains('/') && !instruction.starts_with("FROM ");
    is_step.then(|| words.split(' ').next().unwrap_or_default())
}
