//! From nothing to a plan, as a fresh machine of CI has it: `git clone` of one kind or another, then dtbuild.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use crate::Outcome;
use crate::environment::record_path;
use crate::monorepo::Monorepo;
use crate::options::Options;
use crate::report::Report;
use crate::timing::{Timed, alternate};
use crate::tools::Dtbuild;

/// Cloning takes seconds, and its figures differ little.
const ROUNDS: usize = 3;

/// The kinds of clones, with git's options for them.
const KINDS: [(&str, &[&str]); 4] = [
    ("all of it", &[]),
    ("--depth=1", &["--depth=1"]),
    ("--filter=blob:none", &["--filter=blob:none"]),
    ("--filter=tree:0", &["--filter=tree:0"]),
];

/// Times `git clone` alone, and with the plan of one changed file after it.
pub(crate) fn ask(
    options: &Options,
    monorepo: &Monorepo,
    dtbuild: &Dtbuild,
    report: &mut Report,
) -> Outcome<()> {
    monorepo.ask_git(["config", "uploadpack.allowFilter", "true"])?;
    let target = options.folder.join("clone");
    let this = std::env::current_exe()?;
    let mut commands = Vec::new();
    for (kind, filter) in KINDS {
        for then in [None, Some(&options.dtbuild)] {
            let name =
                format!("git clone, {kind}{}", if then.is_some() { ", then dtbuild --dry-run" } else { "" });
            let ends = [
                monorepo.path.as_os_str(),
                target.as_os_str(),
                then.map_or("".as_ref(), |it| it.as_os_str()),
            ];
            let arguments =
                ["--clone".as_ref()].into_iter().chain(ends).chain(filter.iter().map(AsRef::as_ref));
            let gone = target.clone();
            let forget = Rc::new(move || {
                drop(fs::remove_dir_all(&gone));
                Ok(())
            });
            let registry = format!("{}/bench", dtbuild.registry.address);
            commands.push(
                Timed::new(&name, &this, &options.folder, arguments)
                    .with("DTBUILD_REGISTRY", registry)
                    .with("XDG_CACHE_HOME", target.join(".git/bench-cache"))
                    .after(forget),
            );
        }
    }
    let figures = alternate(&commands, options.rounds.min(ROUNDS))?;
    report.compare("fresh clone", &format!("{}, 1 changed", monorepo.size), &figures, 0);
    drop(fs::remove_dir_all(target));
    Ok(())
}

/// Clones the branch with one change, and plans it where a program is named; the record is there as CI would have it.
pub(crate) fn clone(source: &str, target: &str, dtbuild: &str, filter: &[&str]) -> Outcome<()> {
    let url = format!("file://{source}");
    let branch = Monorepo::change(1);
    run(Command::new("git")
        .args(["clone", "--quiet", "--branch", &branch])
        .args(filter)
        .args([&url, target]))?;
    if dtbuild.is_empty() {
        return Ok(());
    }
    let (from, to) = (record_path(Path::new(source)), record_path(Path::new(target)));
    fs::create_dir_all(to.parent().ok_or("records have no folder")?)?;
    fs::copy(from, to)?;
    run(Command::new(dtbuild).current_dir(target).args([
        "--env",
        "staging",
        "--dry-run",
        "--offline",
        "--json",
    ]))
}

fn run(command: &mut Command) -> Outcome<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
