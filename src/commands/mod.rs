//! The commands: one file each. They introduce the clients to the core, and turn every error into an
//! [`Error`](crate::error::Error) with an exit code. Start with [`main`].

use std::io::{self, BufWriter, Write};

use futures_util::future::LocalBoxFuture;
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Global};
use crate::clients::Clients;
use crate::error::{Code, Error, Result};
use crate::process;
use crate::release::Observer;
use crate::ui::{self, wants_colour};
use crate::workspace::Workspace;

mod build;
mod deploy;
mod doctor;
mod explain;
mod inputs;
mod lock;
mod options;
mod plan;
mod run;
mod status;

/// Runs the program and returns its exit code.
#[must_use]
pub fn main(cli: &Cli) -> u8 {
    let ended = process::block_on(dispatch(cli));
    match ended.unwrap_or_else(|error| Err(no_threads(&error))) {
        Ok(code) => code,
        Err(error) => {
            report(&error, cli.global.json);
            error.exit_code()
        }
    }
}

async fn dispatch(cli: &Cli) -> Result<u8> {
    let global = &cli.global;
    let command: LocalBoxFuture<'_, Result<u8>> = match &cli.command {
        None => Box::pin(run::run(global, &cli.run)),
        Some(Command::Plan(args)) => Box::pin(plan::plan(global, args)),
        Some(Command::Build(args)) => Box::pin(build::build(global, args)),
        Some(Command::Deploy(args)) => Box::pin(deploy::deploy(global, args)),
        Some(Command::Status(args)) => Box::pin(status::status(global, args)),
        Some(Command::Explain(args)) => Box::pin(explain::explain(global, args)),
        Some(Command::Inputs(args)) => Box::pin(inputs::inputs(global, args)),
        Some(Command::Lock(args)) => Box::pin(lock::lock(global, args)),
        Some(Command::Doctor(args)) => Box::pin(doctor::doctor(global, args)),
    };
    command.await
}

/// Follows what `work` tells, on a thread of its own, and cancels it at the first signal. The work is done on several
/// threads.
async fn workers<T>(
    global: &Global,
    workspace: &Workspace,
    clients: &Clients,
    work: impl AsyncFnOnce(Observer) -> Result<T>,
) -> Result<T> {
    let streams = ui::Streams::stderr(&workspace.config);
    let (events, follower) = ui::follow(global.progress, streams);
    let observer = Observer { events, cancel: CancellationToken::new() };
    let run = async {
        clients.signals().cancel(observer.cancel.clone());
        work(observer).await
    };
    let result = process::on_workers(Box::pin(run)).await.unwrap_or_else(|error| Err(no_threads(&error)));
    follower.finish();
    result
}

fn no_threads(error: &io::Error) -> Error {
    Error::new(Code::System, format!("cannot start threads: {error}"))
}

/// Tells the user what went wrong: on stderr for people, on stdout for programs.
fn report(error: &Error, json: bool) {
    let view = ui::error::ErrorView {
        code: error.code,
        message: error.message.clone(),
        causes: error.causes.clone(),
        hint: error.hint.clone(),
    };
    // There is nowhere left to report a stream that is closed.
    let _ = if json {
        ui::error::write_error_json(&mut io::stdout().lock(), &view)
    } else {
        ui::error::write_error(&mut io::stderr().lock(), &view, wants_colour(&io::stderr()))
    };
}

/// Writes a result to stdout. A reader that went away, such as `head`, has what it wanted.
fn print(write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>, bool) -> io::Result<()>) -> Result<()> {
    let styled = wants_colour(&io::stdout());
    // Of its own accord stdout writes line by line.
    let mut out = BufWriter::with_capacity(1 << 14, io::stdout().lock());
    match write(&mut out, styled).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::OutputUnwritable, format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints the references of a release, and nothing else.
fn print_release(global: &Global, view: &ui::release::ReleaseView<'_>) -> Result<()> {
    print(|out, _| {
        if global.json {
            ui::release::write_release_json(out, view)
        } else {
            ui::release::write_release(out, view)
        }
    })
}
