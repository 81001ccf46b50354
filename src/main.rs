//! The `dtbuild` program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ExitCode::from(dtbuild::commands::main(&dtbuild::cli::Cli::parse()))
}
