//! `./dev bench plan`: the cost of deciding, on generated monorepos, against git itself and against other
//! tools.
//!
//! Whole processes are timed, in rounds in which every command runs once, so that what else the machine does meets
//! all of them alike; the figures are medians. All that answer the question "which projects does this change affect?"
//! must give the same answer, or the comparison ends.
//!
//! In the order in which data flows: `monorepo` makes the repository, `environment` a record of what its base
//! runs, `tools` the commands; `questions`, `clones` and `scaling` ask, `processes` measures, `chart` draws.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

use std::process::ExitCode;

mod chart;
mod clones;
mod environment;
mod monorepo;
mod options;
mod peers;
#[path = "../processes/mod.rs"]
mod processes;
mod questions;
mod registry;
mod scaling;
mod tools;
mod walk;

use monorepo::Monorepo;
use options::Options;
use processes::Outcome;
use processes::report::Report;

fn main() -> ExitCode {
    processes::end(run())
}

fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What dtbuild is compared with is a process of its own, too.
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--round", address, count] => return registry::round(address, count.parse()?),
        ["--walk", folder] => return walk::walk(folder.into()),
        _ => {}
    }
    let options = Options::read(arguments.into_iter())?;
    let mut report = Report::begin(&options.common.dtbuild, options.common.rounds)?;
    if questions::ALL.iter().any(|question| options.common.wants(question)) {
        for size in &options.sizes {
            let monorepo = Monorepo::make(&options.common.folder, *size)?;
            questions::ask(&options, &monorepo, &mut report)?;
        }
    }
    if options.common.wants("clone") {
        clones::ask(&options, &mut report)?;
    }
    if options.common.wants("scaling") {
        scaling::ask(&options, &mut report)?;
    }
    let folder = options.common.results();
    report.end(&folder)?;
    println!("\nthe rows and the chart are in {}", folder.display());
    Ok(())
}
