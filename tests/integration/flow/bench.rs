//! A repository with two small images, an environment for each branch, and a folder that is deployed to.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use super::running::Running;
use crate::support::repo::TestRepo;
use crate::support::schema::assert_valid;

/// Where `dtbuild` is run, and what it needs around it. Each has names of its own at the registry.
pub(crate) struct Bench {
    pub(crate) repo: TestRepo,
    /// What `DTBUILD_REGISTRY` is.
    pub(crate) registry: String,
    /// What runs in place of `DOCKER_HOST`.
    pub(crate) engine: String,
    /// What the program finds in its environment besides.
    pub(crate) variables: Vec<(String, String)>,
    home: TempDir,
}

const CONFIG: &str = r#"
[project]
name = "shop"
registry = "registry.invalid/shop"

[images.api]
context = "api"

[images.site]
context = "site"

[environments.staging]
branch = "main"

[environments.staging.deploy]
command = ["./deploy"]
paths = ["hosts"]

[environments.production]
branch = "production"
"#;

/// Keeps what it is told; fails or waits when it is told to by files beside.
const DEPLOY: &str = r#"#!/bin/sh
cd "$BENCH_OUT"
env > environment
cat "$DTBUILD_RELEASE" >> releases
if [ -e fail ]; then echo 'no route to host'; exit 7; fi
if [ -e wait ]; then echo 'waiting'; cat wait; fi
"#;

/// What a run that ended left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    /// A commit of two images and a `build.lock` for their base.
    pub(crate) fn new() -> Self {
        Self::with(CONFIG)
    }

    /// The same with another `build.toml`.
    pub(crate) fn with(config: &str) -> Self {
        let repo = TestRepo::new()
            .file("build.toml", config)
            .file(".gitignore", ".dtbuild\n")
            .executable("deploy", DEPLOY)
            .file("hosts", "one\n")
            .file("api/Dockerfile", "FROM busybox:1.36\nCOPY data /data\nRUN tr a-z A-Z < /data > /upper\n")
            .file("api/data", "regions\n")
            .file("site/Dockerfile", "FROM busybox:1.36\nCOPY page /page\n")
            .file("site/page", "hello\n");
        let registry = format!("{}/{}", registry_address(), unique());
        let bench = Self::around(repo, registry);
        bench.run(&["lock"]).ok();
        bench.commit("first");
        bench
    }

    /// What a test needs around a repository that it has.
    pub(crate) fn around(repo: TestRepo, registry: String) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("out")).unwrap();
        Self { repo, registry, engine: variable("DOCKER_HOST"), variables: Vec::new(), home }
    }

    /// Another clone of the repository, on another machine as it were.
    pub(crate) fn cloned(&self, arguments: &[&str]) -> Self {
        Self::around(self.repo.cloned(arguments), self.registry.clone())
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Adds to `build.toml`.
    pub(crate) fn configure(&self, more: &str) {
        let config = fs::read_to_string(self.repo.path("build.toml")).unwrap();
        self.write("build.toml", &(config + more));
    }

    /// Makes deployments wait until [`Bench::let_deploy`].
    pub(crate) fn hold_deployments(&self) {
        assert!(Command::new("mkfifo").arg(self.out("wait")).status().unwrap().success());
    }

    /// Lets the deployment that waits go on, and later ones not wait.
    pub(crate) fn let_deploy(&self) {
        fs::write(self.out("wait"), "").unwrap();
        fs::remove_file(self.out("wait")).unwrap();
    }

    /// Lets the deployments to come do their work, where none waits.
    pub(crate) fn hold_no_deployment(&self) {
        fs::remove_file(self.out("wait")).unwrap();
    }

    /// The record of staging in the machine's folder; null where there is none.
    pub(crate) fn record(&self) -> Value {
        let path = self.state().join(&self.registry).join("shop/staging.json");
        fs::read(path).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap())
    }

    /// The machine's folder of records.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/dtbuild")
    }

    /// Who has the lease on staging, as far as the folder of records knows.
    pub(crate) fn lease(&self) -> Option<Value> {
        self.record().get("holder").cloned()
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        self.repo.write(path, content, 0o644);
    }

    pub(crate) fn commit(&self, message: &str) {
        self.repo.git(["add", "--all"]);
        self.repo.git(["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// The folder that the deployment writes to.
    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.home.path().join("out").join(name)
    }

    /// The releases that were deployed, the newest last.
    pub(crate) fn deployed(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.out("releases")).unwrap_or_default();
        serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtbuild"));
        command.args(arguments).current_dir(self.repo.root()).env_clear();
        command.env("PATH", variable("PATH")).env("HOME", self.home.path());
        command.env("XDG_CACHE_HOME", self.home.path().join("cache"));
        command.env("DOCKER_HOST", &self.engine).env("DTBUILD_REGISTRY", &self.registry);
        command.env("BENCH_OUT", self.out(""));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Starts the program, its events to be waited for.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.args(["--progress", "rawjson"]);
        Running::of(command)
    }

    /// The plan of staging.
    pub(crate) fn plan(&self) -> Value {
        self.run(&["plan", "--env", "staging", "--json"]).ok().json()
    }

    /// `image decision` of every image of a plan, in the order of their names.
    pub(crate) fn decisions(&self) -> Vec<String> {
        let plan = self.plan();
        let images = plan["images"].as_array().unwrap().iter();
        let mut decisions: Vec<String> =
            images.map(|image| format!("{} {}", text(&image["name"]), text(&image["decision"]))).collect();
        decisions.sort();
        decisions
    }

    /// The tags of an image at the registry.
    pub(crate) fn tags(&self, image: &str) -> Vec<String> {
        let (_, path) = self.registry.split_once('/').unwrap();
        let answer = get(&format!("/v2/{path}/{image}/tags/list"), "GET");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap();
        let tags = body["tags"].as_array().cloned().unwrap_or_default();
        let mut tags: Vec<String> = tags.iter().map(|tag| text(tag).to_owned()).collect();
        tags.sort();
        tags
    }

    /// The digest that a tag of an image names at the registry.
    pub(crate) fn digest(&self, image: &str, tag: &str) -> Option<String> {
        let (_, path) = self.registry.split_once('/').unwrap();
        let answer = get(&format!("/v2/{path}/{image}/manifests/{tag}"), "HEAD");
        answer.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: ")).map(str::to_owned)
    }

    /// What the newest entry of staging's record says of its end.
    pub(crate) fn outcome(&self) -> String {
        let status = self.run(&["status", "--env", "staging", "--json"]).ok().json();
        status["environments"][0]["outcome"].as_str().unwrap_or("none").to_owned()
    }

    /// Runs Docker's own client.
    pub(crate) fn docker(arguments: &[&str]) -> Output {
        let mut docker = Command::new("docker");
        docker.args(arguments).env("DOCKER_HOST", variable("DOCKER_HOST")).output().unwrap()
    }

    /// What a file in an image holds.
    pub(crate) fn file_in(reference: &str, path: &str) -> String {
        let output = Self::docker(&["run", "--rm", "--network=none", reference, "cat", path]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Bench {
    /// A deployment that outlived its run is let go.
    fn drop(&mut self) {
        drop(fs::File::options().read(true).write(true).open(self.out("wait")));
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Checks that it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The events of a run with `--progress rawjson`.
    pub(crate) fn events(&self) -> Vec<Value> {
        let events: Vec<Value> =
            self.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for event in &events {
            assert_valid("event", event);
        }
        events
    }

    /// The events of one kind.
    pub(crate) fn events_of(&self, event: &str) -> Vec<Value> {
        self.events().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// The images of one kind of event.
    pub(crate) fn images(&self, event: &str) -> Vec<String> {
        let events = self.events_of(event);
        let mut images: Vec<String> = events.iter().map(|line| text(&line["image"]).to_owned()).collect();
        images.sort();
        images
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: run `./dev engine up` first"))
}

pub(crate) fn registry_address() -> String {
    variable("DTBUILD_TEST_REGISTRY")
}

/// A name that no other test and no earlier run uses.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("flow-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Asks the registry for a page; the answer with its headers.
pub(super) fn get(path: &str, method: &str) -> String {
    use std::io::{Read as _, Write as _};
    let address = registry_address();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let accept =
        "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
