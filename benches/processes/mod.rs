//! Programs that time other programs: what `./dev bench plan` and `./dev bench engine` have in common.
//!
//! `options` is what each of them is asked for, `timing` measures, `report` shows and keeps.

use std::process::ExitCode;

pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod timing;

/// What goes wrong in these programs ends them with its text.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Ends the program as its work did.
pub(crate) fn end(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
