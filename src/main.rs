//! The `dtbuild` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(dtbuild::commands::main(&dtbuild::cli::Cli::read()))
}
