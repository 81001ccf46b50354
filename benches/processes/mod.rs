//! Programs that time other programs: the parts that `./dev bench plan` and `./dev bench engine` have in
//! common.
//!
//! `options` reads the common options, `timing` measures, `report` shows and keeps. Start with
//! [`timing::alternate`].

use std::process::ExitCode;

pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod timing;

/// The outcome of work in these programs: an error ends them with its text.
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
