//! The program itself, run as its users run it. Start with [`Dtbuild`].
//!
//! ```ignore
//! let repo = project().commit("first");
//! let dtbuild = Dtbuild::new(&repo);
//! let plan = dtbuild.plan("staging");
//! assert_eq!(plan["images"][0]["decision"], "build");
//! dtbuild.run(["--env", "staging"]).succeeds();
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use serde_json::Value;
use tempfile::TempDir;

use super::registry::{address, fresh_repository};
use super::repo::TestRepo;

/// The program on a machine of its own: an empty home, and a registry in which no other test looks.
///
/// Of the tests' environment the program sees `PATH` and the engine's address alone. A clone is one machine
/// with its original.
#[derive(Clone)]
#[must_use]
pub(crate) struct Dtbuild {
    folder: PathBuf,
    registry: String,
    variables: Vec<(String, OsString)>,
    home: Rc<TempDir>,
}

/// The end of a run: exit code and output.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A repository with the image `app`, nothing of it committed yet, for the environment `staging`.
pub(crate) fn project() -> TestRepo {
    let repo = TestRepo::new().file("build.toml", CONFIG).file("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    repo.file("app/greeting.txt", "hello\n")
}

/// The `build.toml` of [`project`]; lines that are appended belong to its environment.
pub(crate) const CONFIG: &str = r#"[project]
name = "demo"
registry = "registry.example.com/demo"

[images.app]
context = "app"

[environments.staging]
branch = "staging"
"#;

impl Dtbuild {
    /// A machine whose user works in the repository.
    pub(crate) fn new(repo: &TestRepo) -> Self {
        let engine = std::env::var_os("DOCKER_HOST").expect("run `./dev engine up` first");
        Self {
            folder: repo.root().to_owned(),
            registry: fresh_repository(&address()).to_string(),
            variables: vec![("DOCKER_HOST".to_owned(), engine)],
            home: Rc::new(tempfile::tempdir().unwrap()),
        }
    }

    /// The machine, with its user in another folder.
    pub(crate) fn at(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    /// The machine with a variable of the environment, or with another value of one.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The machine with another registry.
    pub(crate) fn pushing_to(self, registry: impl Into<String>) -> Self {
        Self { registry: registry.into(), ..self }
    }

    /// The user's cache folder.
    pub(crate) fn cache(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    /// The record of `staging`, where the machine keeps it.
    pub(crate) fn record(&self) -> PathBuf {
        let state = self.home.path().join(".local/state/dtbuild");
        state.join(&self.registry).join("demo/staging.json")
    }

    /// Where images are pushed: `{registry}/{image}`.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8 alone");
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs the program to its end, started by the program `through` with its arguments.
    pub(crate) fn run_through(&self, through: &[&str], arguments: &[&str]) -> Ended {
        let own = self.command(arguments);
        let mut command = Command::new(through[0]);
        command.args(&through[1..]).arg(own.get_program()).args(own.get_args()).current_dir(&self.folder);
        command.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8 alone");
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts the program.
    pub(crate) fn start<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn command<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtbuild"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8");
        command.env("HOME", self.home.path()).env("XDG_CACHE_HOME", self.home.path().join("cache"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("DTBUILD_REGISTRY", &self.registry);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        command.current_dir(&self.folder);
        command
    }

    /// The plan that `dtbuild plan` prints of the commit at HEAD.
    pub(crate) fn plan(&self, environment: &str) -> Value {
        self.run(["plan", "--env", environment, "--json"]).json()
    }

    /// The plan of `dtbuild build` for the files on the disk.
    pub(crate) fn plan_of_disk(&self) -> Value {
        self.run(["build", "--dry-run", "--json"]).json()
    }
}

impl Ended {
    /// Fails the test unless the program did what it was asked.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stderr, self.stdout);
        self
    }

    /// Fails the test unless the program ended with this code, one error, and every one of these texts in it.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, texts: &[&str]) -> Self {
        let told = &self.stderr;
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("error:")).count(), 1, "{told}");
        for text in texts {
            assert!(told.contains(text), "no `{text}` in:\n{told}");
        }
        self
    }

    /// The one JSON value that the program printed; its exit code may be 10, for "something to build".
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(matches!(self.code, Some(0 | 10)), "{}{}", self.stderr, self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// The image `name` of a plan.
#[track_caller]
pub(crate) fn image<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let images = plan["images"].as_array().unwrap();
    images.iter().find(|image| image["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {plan:#}"))
}

/// The plan's decision on each image: `app build`, in the plan's order.
pub(crate) fn decisions(plan: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let images = plan["images"].as_array().unwrap().iter();
    images.map(|image| format!("{} {}", word(&image["name"]), word(&image["decision"]))).collect()
}

/// The reasons of a list, by their names.
pub(crate) fn reasons(reasons: &Value) -> Vec<&str> {
    reasons.as_array().unwrap().iter().map(|reason| reason["reason"].as_str().unwrap()).collect()
}
