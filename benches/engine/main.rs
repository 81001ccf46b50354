//! `./dev bench engine`: what builds cost, against Docker's own tools on the same engine.
//!
//! Whole processes are timed, in rounds in which every command runs once, so that what else the machine does meets all
//! of them alike; the figures are medians. All of them build the same Dockerfiles and leave the images in the engine's
//! store, under a name each; the engine is the benchmark's own, as its cache is emptied again and again.
//!
//! In the order in which data flows: `tools` names the programs, `project` and `context` make what is built, `builds`
//! and `large` ask, `timing` and `memory` measure, `report` and `table` show.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

use std::process::ExitCode;
use std::rc::Rc;

mod builds;
mod context;
mod large;
mod memory;
mod options;
mod project;
#[path = "../plan/report.rs"]
mod report;
mod table;
#[path = "../plan/timing.rs"]
mod timing;
mod tools;

use options::Options;
use report::Report;
use table::Table;
use tools::Tools;

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
    let options = Options::read(std::env::args().skip(1))?;
    let tools = Rc::new(Tools::find(&options)?);
    let mut report = Report::begin(&options.dtbuild, options.rounds)?;
    report.note(&tools.versions()?);
    let mut table = Table::default();
    for &images in &options.images {
        builds::ask(&options, &tools, images, &mut report, &mut table)?;
    }
    large::ask(&options, &tools, &mut report, &mut table)?;
    for line in table.lines() {
        report.note(&line);
    }
    let folder = options.folder.join("results");
    report.end(&folder)?;
    println!("\nthe rows are in {}", folder.display());
    Ok(())
}
