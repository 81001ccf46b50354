//! The commands that are compared, each with the projects that it reports as affected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::Outcome;
use crate::monorepo::{BASE, Monorepo};
use crate::options::Options;
use crate::processes::timing::{Before, Timed};
use crate::registry::Registry;

/// dtbuild, with a registry that it can ask.
pub(crate) struct Dtbuild {
    program: PathBuf,
    pub(crate) registry: Registry,
}

impl Dtbuild {
    pub(crate) fn new(program: &Path) -> Outcome<Self> {
        Ok(Self { program: program.to_owned(), registry: Registry::start()? })
    }

    /// `dtbuild --dry-run --json` of the commit that is checked out. The registry has none of the keys, so a
    /// command that asks it about a key does not alter the plan.
    pub(crate) fn plan(&self, monorepo: &Monorepo) -> Timed {
        self.command("dtbuild --dry-run", monorepo, &["--env", "staging", "--dry-run", "--offline", "--json"])
    }

    /// `dtbuild plan --from BASE --to HEAD --json`: the keys of both ends.
    pub(crate) fn range(&self, monorepo: &Monorepo) -> Timed {
        self.command(
            "dtbuild plan --from --to",
            monorepo,
            &["plan", "--from", BASE, "--to", "HEAD", "--json"],
        )
    }

    /// What the other dtbuild is asked, where the options name one.
    pub(crate) fn before(&self, options: &Options, ask: impl FnOnce(&Self) -> Timed) -> Option<Timed> {
        let program = options.before.clone()?;
        let mut asked = ask(&Self { program, registry: self.registry.clone() });
        asked.name = format!("before: {}", asked.name);
        Some(asked)
    }

    /// `dtbuild build --dry-run --json` of the files on the disk.
    pub(crate) fn disk(&self, monorepo: &Monorepo) -> Timed {
        self.command("dtbuild build --dry-run", monorepo, &["build", "--dry-run", "--offline", "--json"])
    }

    /// `dtbuild --dry-run --json`, which also asks the registry about images that an environment does not
    /// run.
    pub(crate) fn asking(&self, name: &str, monorepo: &Monorepo, environment: &str) -> Timed {
        self.command(name, monorepo, &["--env", environment, "--dry-run", "--json"])
    }

    pub(crate) fn command(&self, name: &str, monorepo: &Monorepo, arguments: &[&str]) -> Timed {
        self.command_in(name, &monorepo.path, arguments)
    }

    /// A command in a checkout; its memory of other repositories is beside that of the checkout's git folder.
    pub(crate) fn command_in(&self, name: &str, checkout: &Path, arguments: &[&str]) -> Timed {
        Timed::new(name, &self.program, checkout, arguments)
            .with("DTBUILD_REGISTRY", format!("{}/bench", self.registry.address))
            .with("XDG_CACHE_HOME", checkout.join(".git/bench-cache"))
    }
}

/// Removes all that dtbuild remembers between runs.
pub(crate) fn forget(monorepo: &Monorepo) -> Before {
    let memory = [monorepo.path.join(".git/dtbuild"), monorepo.path.join(".git/bench-cache")];
    Rc::new(move || memory.iter().try_for_each(|path| remove(path)))
}

fn remove(folder: &Path) -> Outcome<()> {
    if folder.exists() { Ok(fs::remove_dir_all(folder)?) } else { Ok(()) }
}

/// The images that a plan builds.
pub(crate) fn built(plan: &str) -> Outcome<BTreeSet<String>> {
    let plan: Value = serde_json::from_str(plan)?;
    let images = plan["images"].as_array().ok_or("the plan has no images")?;
    let built = images.iter().filter(|image| image["decision"] == "build");
    Ok(built.filter_map(|image| Some(image["name"].as_str()?.to_owned())).collect())
}

/// git's own answers, of which that of `git diff` is the measure.
pub(crate) fn git(monorepo: &Monorepo) -> Vec<Timed> {
    let git = |name, arguments: &[&str]| Timed::new(name, "git", &monorepo.path, arguments);
    vec![
        git("git diff --name-only", &["diff", "--name-only", "--no-renames", BASE, "HEAD"]),
        git("git diff-tree -r", &["diff-tree", "-r", BASE, "HEAD"]),
        git("git ls-tree -r", &["ls-tree", "-r", "HEAD"]),
    ]
}

/// Another tool: its command, and the function that reads its answer.
pub(crate) struct Peer {
    pub(crate) timed: Timed,
    read: fn(&Value) -> Vec<&Value>,
}

impl Peer {
    /// The projects that the tool reports as affected.
    pub(crate) fn affected(&self) -> Outcome<BTreeSet<String>> {
        let text = self.timed.output()?;
        // Some greet before they answer.
        let start = text.find(['{', '[']).ok_or_else(|| format!("{} says: {text}", self.timed.name))?;
        let answer: Value = serde_json::from_str(&text[start..])?;
        let names = (self.read)(&answer).into_iter().filter_map(Value::as_str);
        Ok(names.filter(|name| name.starts_with('p')).map(str::to_owned).collect())
    }
}

/// turbo, nx and moon, each asked what a change since `base` affects. `folder` has them installed.
pub(crate) fn peers(monorepo: &Monorepo, folder: &Path, (base, head): (&str, &str)) -> Vec<Peer> {
    let modules = folder.join("node_modules");
    let tool = |name: &str, program: &str, arguments: &[&str]| {
        Timed::new(name, modules.join(".bin").join(program), &monorepo.path, arguments)
            .with("CI", "1")
            .with("DO_NOT_TRACK", "1")
    };
    let turbo = tool("turbo ls --affected", "turbo", &["ls", "--affected", "--output=json"])
        .with("TURBO_SCM_BASE", base)
        .with("TURBO_SCM_HEAD", head)
        .with("TURBO_TELEMETRY_DISABLED", "1");
    let range = [format!("--base={base}"), format!("--head={head}")];
    let nx = |name: &str, daemon: &str| {
        tool(name, "nx", &["show", "projects", "--affected", "--json", &range[0], &range[1]])
            .with("NX_DAEMON", daemon)
            .with("NX_NO_CLOUD", "true")
            .with("NX_TUI", "false")
    };
    let moon = tool(
        "moon query projects --affected",
        "moon",
        &["query", "projects", "--affected", "--downstream", "deep"],
    )
    .with("MOON_BASE", base)
    .with("MOON_HEAD", head)
    .with("MOON_TELEMETRY", "false");
    vec![
        Peer { timed: moon, read: |answer| each(&answer["projects"], "id") },
        Peer { timed: turbo, read: |answer| each(&answer["packages"]["items"], "name") },
        Peer {
            timed: nx("nx affected, daemon", "true"),
            read: |answer| answer.as_array().into_iter().flatten().collect(),
        },
        Peer {
            timed: nx("nx affected, no daemon", "false"),
            read: |answer| answer.as_array().into_iter().flatten().collect(),
        },
    ]
}

fn each<'a>(items: &'a Value, field: &str) -> Vec<&'a Value> {
    items.as_array().into_iter().flatten().map(|item| &item[field]).collect()
}
