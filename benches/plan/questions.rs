//! The questions about a monorepo. Start with [`ask`].

use std::collections::BTreeSet;

use crate::Outcome;
use crate::chart;
use crate::environment;
use crate::monorepo::{BASE, Monorepo};
use crate::options::Options;
use crate::processes::report::Report;
use crate::processes::timing::{Timed, alternate};
use crate::tools::{self, Dtbuild};

/// What is asked of every monorepo.
pub(crate) const ALL: [&str; 6] = ["diff", "range", "cold", "peers", "nothing", "worktree"];

/// Asks all questions of one monorepo. A commit is made HEAD without its files: only a question about the
/// files has them checked out.
pub(crate) fn ask(options: &Options, monorepo: &Monorepo, report: &mut Report) -> Outcome<()> {
    let dtbuild = Dtbuild::new(&options.common.dtbuild)?;
    environment::deploy_base(monorepo, &dtbuild)?;
    for &changes in &options.changes {
        monorepo.set_head(&Monorepo::change(changes))?;
        let case = format!("{}, {changes} changed", monorepo.size);
        if options.common.wants("diff") {
            let mut commands = tools::git(monorepo);
            commands.insert(0, dtbuild.plan(monorepo));
            commands.extend(dtbuild.before(options, |before| before.plan(monorepo)));
            report.compare("diff", &case, &alternate(&commands, options.common.rounds)?, 1);
        }
        if options.common.wants("range") {
            let mut commands = tools::git(monorepo);
            commands.insert(0, dtbuild.range(monorepo));
            report.compare("range", &case, &alternate(&commands, options.common.rounds)?, 1);
        }
        if options.common.wants("cold") {
            let mut cold = dtbuild.plan(monorepo);
            cold.name.push_str(", nothing remembered");
            let cold = cold.after(tools::forget(monorepo));
            let mut commands = vec![cold, tools::git(monorepo).remove(2)];
            let before = |before: &Dtbuild| before.plan(monorepo).after(tools::forget(monorepo));
            commands.extend(dtbuild.before(options, before));
            report.compare("cold", &case, &alternate(&commands, options.common.rounds)?, 1);
        }
        if options.common.wants("peers") && options.peers {
            peers(options, monorepo, &dtbuild, report, &case)?;
        }
    }
    if options.common.wants("nothing") {
        nothing(options, monorepo, &dtbuild, report)?;
    }
    if options.common.wants("worktree") {
        worktree(options, monorepo, &dtbuild, report)?;
    }
    Ok(())
}

/// The figures of the other tools for the same question; all must give the same answer.
fn peers(
    options: &Options,
    monorepo: &Monorepo,
    dtbuild: &Dtbuild,
    report: &mut Report,
    case: &str,
) -> Outcome<()> {
    // They look at the files on the disk as well.
    monorepo.checkout("HEAD")?;
    let modules = monorepo.path.join("node_modules");
    let folder = options.common.folder.join("peers");
    if !modules.exists() {
        std::os::unix::fs::symlink(folder.join("node_modules"), &modules)?;
    }
    let (base, head) = (monorepo.ask_git(["rev-parse", BASE])?, monorepo.ask_git(["rev-parse", "HEAD"])?);
    let ours = tools::built(&dtbuild.plan(monorepo).output()?)?;
    let mut commands: Vec<Timed> = vec![dtbuild.plan(monorepo)];
    for peer in tools::peers(monorepo, &folder, (&base, &head)) {
        let theirs = peer.affected()?;
        if theirs != ours {
            let differ: BTreeSet<_> = theirs.symmetric_difference(&ours).collect();
            return Err(format!("{} and dtbuild differ, {case}: {differ:?}", peer.timed.name).into());
        }
        commands.push(peer.timed);
    }
    report.note(&format!("{case}: all name the same {} projects", ours.len()));
    // They take long, and their figures differ by factors.
    let figures = alternate(&commands, options.common.rounds)?;
    report.compare("peers", case, &figures, 0);
    let title = format!("What does this change affect? {case}");
    let name = format!("affected-{}-{}.svg", monorepo.size.images, ours.len());
    chart::keep(&options.common.results(), &name, &title, &figures)?;
    Ok(())
}

/// Plans with nothing to do: once the record knows, once the registry has to be asked about every image.
fn nothing(options: &Options, monorepo: &Monorepo, dtbuild: &Dtbuild, report: &mut Report) -> Outcome<()> {
    monorepo.set_head(BASE)?;
    let images = monorepo.size.images;
    let known = dtbuild.asking("dtbuild --dry-run", monorepo, "staging");
    dtbuild.registry.asked();
    known.output()?;
    report.note(&format!("nothing to do: the registry was asked {} times", dtbuild.registry.asked()));
    let asks = dtbuild.asking("dtbuild --dry-run, the registry has all keys", monorepo, "other");
    dtbuild.registry.has_all(true);
    asks.output()?;
    report.note(&format!("another environment: the registry was asked {} times", dtbuild.registry.asked()));
    let address = dtbuild.registry.address.to_string();
    let this = std::env::current_exe()?;
    let round =
        Timed::new("a round of HEADs", this, &monorepo.path, ["--round", &address, &images.to_string()]);
    let mut offline = dtbuild.plan(monorepo);
    offline.name.push_str(" --offline");
    let mut commands = vec![known, asks, round, offline];
    commands
        .extend(dtbuild.before(options, |before| before.asking("dtbuild --dry-run", monorepo, "staging")));
    let figures = alternate(&commands, options.common.rounds)?;
    dtbuild.registry.has_all(false);
    report.compare("nothing to do", &monorepo.size.to_string(), &figures, 2);
    Ok(())
}

/// The working tree, nothing changed, against git's own look at it and a bare walk.
fn worktree(options: &Options, monorepo: &Monorepo, dtbuild: &Dtbuild, report: &mut Report) -> Outcome<()> {
    monorepo.checkout(BASE)?;
    let this = std::env::current_exe()?;
    let mut commands = vec![
        dtbuild.disk(monorepo),
        Timed::new("git status -uall", "git", &monorepo.path, ["status", "--porcelain", "-uall"]),
        Timed::new("walk with statx", this, &monorepo.path, ["--walk", "packages"]),
    ];
    commands.extend(dtbuild.before(options, |before| before.disk(monorepo)));
    report.compare("worktree", &monorepo.size.to_string(), &alternate(&commands, options.common.rounds)?, 1);
    Ok(())
}
