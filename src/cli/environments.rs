//! The arguments of the commands about environments and their records.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{EnvironmentName, duration};

/// What to do where another run deploys.
#[derive(Debug, Default, Args)]
pub struct Waiting {
    /// Wait so long for another run that deploys to the environment, such as 10m; then plan anew
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s", hide_default_value = true)]
    pub wait: Duration,
}

/// `dtbuild history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    pub environment: EnvironmentName,
    /// Ask neither registries nor git's remote
    #[arg(long)]
    pub offline: bool,
}

/// `dtbuild rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild rollback staging                    back to the release before the one that runs
  dtbuild rollback staging --to v1.3          back to what was deployed for that commit
  dtbuild rollback staging --to 20260101T120000Z-0f0f0f0f

The environment is then on hold: only a commit that is newer is deployed. The trigger and its files are those of this checkout.")]
pub struct RollbackArgs {
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    pub environment: EnvironmentName,
    /// The deployment's id, as `dtbuild history` lists it, or its commit
    #[arg(long, value_name = "ID|COMMIT")]
    pub to: Option<String>,
    /// What to do where another run deploys.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `dtbuild promote`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild promote staging production     what staging runs, by the same digests; nothing is built

The trigger and its files are those of this checkout.")]
pub struct PromoteArgs {
    /// The environment whose release is taken
    #[arg(value_name = "FROM")]
    pub from: EnvironmentName,
    /// The environment that it is deployed to
    #[arg(value_name = "TO")]
    pub to: EnvironmentName,
    /// Promote although the last deployment to FROM did not succeed, or TO is on hold or runs a newer commit
    #[arg(long)]
    pub force: bool,
    /// What to do where another run deploys.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `dtbuild unlock`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild unlock staging --reason \"its runner was switched off\"

Nobody need do that where a run was killed: its lease ends by itself. The run that held the lease writes nothing any more, but
what it has started may go on.")]
pub struct UnlockArgs {
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    pub environment: EnvironmentName,
    /// Why; the history keeps it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `dtbuild status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild status                       what every environment runs
  dtbuild status --env staging --json  for programs")]
pub struct StatusArgs {
    /// Ask neither registries nor git's remote
    #[arg(long)]
    pub offline: bool,
    /// The environment; all when left out
    #[arg(long = "env", short = 'e', value_name = "ENVIRONMENT")]
    pub environment: Option<EnvironmentName>,
}

/// The hidden command that a run starts its trigger with.
#[derive(Debug, Args)]
pub struct SuperviseArgs {
    /// The file to lock while the trigger runs
    #[arg(long)]
    pub lock: Option<PathBuf>,
    /// The longest time between two renewals of the lease, in milliseconds
    #[arg(long)]
    pub patience: u64,
    /// The trigger: a program with its arguments
    #[arg(last = true, required = true)]
    pub trigger: Vec<OsString>,
}
