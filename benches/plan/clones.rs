//! The way from nothing to a plan, as a fresh machine of CI goes it: `git clone` of one kind or another, then
//! dtbuild.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use serde_json::Value;

use crate::Outcome;
use crate::environment::{self, record_path};
use crate::monorepo::Monorepo;
use crate::options::Options;
use crate::processes::report::Report;
use crate::processes::timing::{Before, Timed, alternate};
use crate::tools::Dtbuild;

/// The number of rounds: cloning takes seconds, and its figures differ little.
const ROUNDS: usize = 3;

/// The kinds of clones: git's options for them.
const KINDS: [&[&str]; 5] = [
    &[],
    &["--depth=1"],
    &["--filter=blob:none"],
    &["--depth=1", "--filter=blob:none"],
    &["--filter=tree:0"],
];

/// A clone, and a copy of its git folder as it was before anything else was asked of it.
struct Clone {
    path: PathBuf,
    git: PathBuf,
}

/// Times each kind of `git clone`, and in each clone the first plan of one changed file: once if keys alone
/// may decide, and once if the base may be fetched.
pub(crate) fn ask(options: &Options, report: &mut Report) -> Outcome<()> {
    let dtbuild = Dtbuild::new(&options.common.dtbuild)?;
    let monorepo = Monorepo::make(&options.common.folder, options.scaled)?;
    environment::deploy_base(&monorepo, &dtbuild)?;
    monorepo.ask_git(["config", "uploadpack.allowFilter", "true"])?;
    let folder = place(options)?;
    let clones: Vec<Clone> = (0..KINDS.len()).map(|kind| Clone::at(&folder, kind)).collect();
    let rounds = options.common.rounds.min(ROUNDS);
    let cloning: Vec<Timed> =
        KINDS.iter().zip(&clones).map(|(kind, at)| clone(&monorepo, kind, at)).collect();
    let clone_times = alternate(&cloning, rounds)?;
    let mut plans = Vec::new();
    for clone in &clones {
        clone.keep(&monorepo)?;
        let command = |arguments: &[&str]| {
            let arguments = [&["--env", "staging", "--dry-run", "--json"], arguments].concat();
            dtbuild.command_in("", &clone.path, &arguments).after(clone.fresh())
        };
        plans.extend([command(&["--offline"]), command(&[])]);
    }
    let plan_times = alternate(&plans, options.common.rounds)?;
    let mut table = vec![
        "| `git clone` | | then `dtbuild --dry-run --offline` | the base | then `dtbuild --dry-run` | the base |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for (kind, options) in KINDS.iter().enumerate() {
        let cell = |number: usize| -> Outcome<String> {
            let (plan, figure) = (&plans[number], &plan_times[number]);
            plan.prepare()?;
            let plan: Value = serde_json::from_str(&plan.output()?)?;
            let base = plan["base"]["state"].as_str().unwrap_or("?");
            Ok(format!("{:.0} ms | {base}", figure.milliseconds()))
        };
        let clone = format!("{:.1} s", clone_times[kind].milliseconds() / 1000.0);
        let name =
            if options.is_empty() { "all of it".to_owned() } else { format!("`{}`", options.join(" ")) };
        table.push(format!("| {name} | {clone} | {} | {} |", cell(2 * kind)?, cell(2 * kind + 1)?));
    }
    report.note(&format!("\n{}, 1 changed, over `file://`", monorepo.size));
    report.table("fresh clones", &table);
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// The folder of the clones: in memory, if there is a place for that. A disk may take longer to forget the
/// files of a clone than git takes to write them.
fn place(options: &Options) -> Outcome<PathBuf> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory } else { &options.common.folder };
    let folder = folder.join(format!("dtbuild-clones-{}", std::process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// `git clone` of the branch with one change.
fn clone(monorepo: &Monorepo, kind: &[&str], at: &Clone) -> Timed {
    let (branch, path) = (Monorepo::change(1), at.path.clone());
    let url = format!("file://{}", monorepo.path.display());
    let arguments = [&["clone", "--quiet", "--branch", &branch], kind, &[&url]].concat();
    let arguments = arguments.iter().map(OsString::from).chain([path.clone().into()]);
    Timed::new(&kind.join(" "), "git", &monorepo.path, arguments).after(Rc::new(move || remove(&path)))
}

impl Clone {
    fn at(folder: &Path, kind: usize) -> Self {
        Self { path: folder.join(kind.to_string()), git: folder.join(format!("{kind}.git")) }
    }

    /// Keeps the clone's git folder, and gives the clone the record, as CI has it from the registry.
    fn keep(&self, monorepo: &Monorepo) -> Outcome<()> {
        remove(&self.git)?;
        fs::rename(self.path.join(".git"), &self.git)?;
        let (from, to) = (record_path(&monorepo.path), record_path(&self.path));
        fs::create_dir_all(to.parent().ok_or("records have no folder")?)?;
        fs::copy(from, to)?;
        Ok(())
    }

    /// Makes the clone as it was at first: nothing is remembered, nothing was fetched.
    fn fresh(&self) -> Before {
        let (from, to) = (self.git.clone(), self.path.join(".git"));
        Rc::new(move || {
            remove(&to)?;
            // Git writes no file of its own in place, so links are copies.
            let status = Command::new("cp").args(["-a", "--link", "--"]).args([&from, &to]).status()?;
            if status.success() { Ok(()) } else { Err(format!("cp: {status}").into()) }
        })
    }
}

fn remove(folder: &Path) -> Outcome<()> {
    if folder.exists() { Ok(fs::remove_dir_all(folder)?) } else { Ok(()) }
}
