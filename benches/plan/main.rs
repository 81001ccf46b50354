//! `./dev bench plan`: what deciding costs, on generated monorepos, against git itself and against other tools.
//!
//! Whole processes are timed, in rounds in which every command runs once, so that what else the machine does meets
//! all of them alike; the figures are medians. All that answer the question "which projects does this change affect?"
//! must give the same answer, or the comparison ends.
//!
//! In the order in which data flows: `monorepo` makes the repository, `environment` a record of what its base
//! runs, `tools` the commands, `timing` the figures, `report` the rows and the chart.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

use std::process::ExitCode;

mod chart;
mod clones;
mod environment;
#[path = "../engine/memory.rs"]
mod memory;
mod monorepo;
mod options;
mod peers;
mod questions;
mod registry;
mod report;
mod scaling;
mod timing;
mod tools;
mod walk;

use monorepo::Monorepo;
use options::Options;
use report::Report;
use scaling::Scaling;

/// What goes wrong here ends the program with its text.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What dtbuild is compared with is a process of its own, too.
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--round", address, count] => return registry::round(address, count.parse()?),
        ["--clone", source, target, dtbuild, ref filter @ ..] => {
            return clones::clone(source, target, dtbuild, filter);
        }
        ["--walk", folder] => return walk::walk(folder.into()),
        _ => {}
    }
    let options = Options::read(arguments.into_iter())?;
    let mut report = Report::begin(&options.dtbuild, options.rounds)?;
    let mut scaling = Scaling::default();
    for size in &options.sizes {
        let monorepo = Monorepo::make(&options.folder, *size)?;
        questions::ask(&options, &monorepo, &mut report, &mut scaling)?;
    }
    scaling.show(&mut report);
    let folder = options.results();
    report.end(&folder)?;
    println!("\nthe rows and the chart are in {}", folder.display());
    Ok(())
}
