//! `dtbuild rollback`: an earlier release of an environment, applied again. Start with [`rollback`].

use super::{options, run, workers};
use crate::cli::{Global, RollbackArgs};
use crate::error::Result;
use crate::plan::Deploying;
use crate::release::{Ended, Recorded, Rollback};
use crate::workspace::Workspace;

/// Runs `dtbuild rollback`.
pub(super) async fn rollback(global: &Global, args: &RollbackArgs) -> Result<u8> {
    let clients = options::asking(false);
    let workspace = Workspace::at_commit(&options::location(global), "HEAD")?;
    let environment = workspace.environment(Some(&args.environment))?;
    let recorded =
        Recorded { clients: &clients, workspace: &workspace, environment, wait: args.waiting.wait };
    let rollback = Rollback { recorded, to: args.to.as_deref(), by: options::user() };
    let release =
        workers(global, &workspace, &clients, async |observer| rollback.execute(&observer).await).await?;
    run::show(global, &Ended::Released(release), Deploying::Anyway)
}
