//! The `dtbuild` program: reads the command line, runs the command and exits with the command's code.

use std::process::ExitCode;

use dtbuild_content::fingerprint::Fingerprint;

fn main() -> ExitCode {
    let code = Fingerprint::of(env!("DTBUILD_FINGERPRINT"));
    ExitCode::from(dtbuild::commands::main(&dtbuild::cli::Cli::read(code)))
}
