//! `./dev bench engine`: the cost of builds, against Docker's own tools on the same engine.
//!
//! Whole processes are timed, in rounds in which every command runs once, so that what else the machine does meets all
//! of them alike; the figures are medians. All of them build the same Dockerfiles and leave the images in the engine's
//! store, under a name each; the engine is the benchmark's own, as its cache is emptied again and again.
//!
//! In the order in which data flows: `tools` names the programs, `project` and `context` make what is built, `builds`
//! and `large` ask, `processes` and `memory` measure, `table` shows.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

use std::process::ExitCode;
use std::rc::Rc;

mod builds;
mod context;
mod large;
mod memory;
mod options;
#[path = "../processes/mod.rs"]
mod processes;
mod project;
mod table;
mod tools;

use options::Options;
use processes::Outcome;
use processes::report::Report;
use table::Table;
use tools::Tools;

fn main() -> ExitCode {
    processes::end(run())
}

fn run() -> Outcome<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let tools = Rc::new(Tools::find(&options)?);
    let mut report = Report::begin(&options.common.dtbuild, options.common.rounds)?;
    report.note(&tools.versions()?);
    let mut table = Table::default();
    for &images in &options.images {
        builds::ask(&options, &tools, images, &mut report, &mut table)?;
    }
    large::ask(&options, &tools, &mut report, &mut table)?;
    report.table("builds", &table.lines());
    let folder = options.common.results();
    report.end(&folder)?;
    println!("\nthe rows are in {}", folder.display());
    Ok(())
}
