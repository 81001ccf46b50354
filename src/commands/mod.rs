//! The commands: one file each. A command makes the clients and the workspace, calls the core, and shows one view;
//! every error becomes an [`Error`](crate::error::Error) with an exit code. Start with [`main`].

use std::io;

use futures_util::future::LocalBoxFuture;
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Global};
use crate::clients::Clients;
use crate::error::{Code, Error, Result};
use crate::process;
use crate::release::Observer;
use crate::ui;
use crate::workspace::Workspace;

mod build;
mod comparison;
mod deploy;
mod doctor;
mod explain;
mod history;
mod inputs;
mod lock;
mod options;
mod plan;
mod promote;
mod rollback;
mod run;
mod status;
mod supervise;
mod unlock;

/// Runs the program and returns its exit code.
#[must_use]
pub fn main(cli: &Cli) -> u8 {
    let ended = process::block_on(dispatch(cli));
    match ended.unwrap_or_else(|error| Err(no_threads(&error))) {
        Ok(code) => code,
        Err(error) => {
            ui::error::report(&error, cli.global.format());
            error.exit_code()
        }
    }
}

async fn dispatch(cli: &Cli) -> Result<u8> {
    let global = &cli.global;
    let command: LocalBoxFuture<'_, Result<u8>> = match &cli.command {
        None => Box::pin(run::run(global, &cli.run)),
        Some(Command::Plan(args)) if args.compares() => Box::pin(comparison::compare(global, args)),
        Some(Command::Plan(args)) => Box::pin(plan::plan(global, args)),
        Some(Command::Build(args)) => Box::pin(build::build(global, args)),
        Some(Command::Deploy(args)) => Box::pin(deploy::deploy(global, args)),
        Some(Command::Status(args)) => Box::pin(status::status(global, args)),
        Some(Command::History(args)) => Box::pin(history::history(global, args)),
        Some(Command::Promote(args)) => Box::pin(promote::promote(global, args)),
        Some(Command::Rollback(args)) => Box::pin(rollback::rollback(global, args)),
        Some(Command::Unlock(args)) => Box::pin(unlock::unlock(global, args)),
        Some(Command::Explain(args)) => Box::pin(explain::explain(global, args)),
        Some(Command::Inputs(args)) => Box::pin(inputs::inputs(global, args)),
        Some(Command::Lock(args)) => Box::pin(lock::lock(global, args)),
        Some(Command::Doctor(args)) => Box::pin(doctor::doctor(global, args)),
        Some(Command::Supervise(args)) => Box::pin(supervise::supervise(args)),
    };
    command.await
}

/// Runs `work` on several threads, shows the events of `work` on a thread of its own, and cancels `work` at the first
/// signal.
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
