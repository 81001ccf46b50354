//! `dtbuild promote`: the release of one environment, applied to another. Start with [`promote`].

use super::{options, run, workers};
use crate::cli::{Global, PromoteArgs};
use crate::error::{Code, Error, Result};
use crate::plan::Deploying;
use crate::release::{Ended, Promotion, Recorded};
use crate::workspace::Workspace;

/// Runs `dtbuild promote`.
pub(super) async fn promote(global: &Global, args: &PromoteArgs) -> Result<u8> {
    if args.from == args.to {
        return Err(Error::new(Code::Usage, "an environment cannot be promoted to itself"));
    }
    let clients = options::asking(false);
    let workspace = Workspace::at_commit(&options::location(global), "HEAD")?;
    let (from, environment) =
        (workspace.environment(Some(&args.from))?, workspace.environment(Some(&args.to))?);
    let recorded =
        Recorded { clients: &clients, workspace: &workspace, environment, wait: args.waiting.wait };
    let promotion = Promotion { from, recorded, force: args.force };
    let release =
        workers(global, &workspace, &clients, async |observer| promotion.execute(&observer).await).await?;
    run::show(global, &Ended::Released(release), Deploying::Anyway)
}
