//! `dtbuild deploy`: a deployment of a commit's images that were built and pushed before. Start with [`deploy`].

use super::{options, plan, run, workers};
use crate::cli::{Building, DeployArgs, Global};
use crate::error::Result;
use crate::gather::{Query, ReleaseOptions};
use crate::plan::Deploying;
use crate::process::Timings;
use crate::release::CdStep;
use crate::workspace::Workspace;

/// Runs `dtbuild deploy`. The command always deploys, even if the environment runs the commit already: a user who asks
/// for a deployment has a reason, and a good playbook changes nothing when there is nothing to change.
pub(super) async fn deploy(global: &Global, args: &DeployArgs) -> Result<u8> {
    let (clients, timings) = (options::asking(false), Timings::default());
    let workspace = Workspace::at_commit(&options::location(global), &args.head)?;
    let (environment, allow_older) = (args.environment.clone(), args.allow_older);
    let released = ReleaseOptions { environment, allow_older, ..ReleaseOptions::default() };
    let query = Query::release(&workspace, released)?.with_deploying(Deploying::Anyway).unexplained();
    let settings = options::settings(&Building::default());
    let step = CdStep {
        clients: &clients,
        workspace: &workspace,
        query: &query,
        settings,
        wait: args.waiting.wait,
        timings: &timings,
    };
    let prepared = step.prepare().await?;
    if prepared.plan.is_nothing() {
        return plan::show(global, &prepared.plan, false);
    }
    prepared.check_built(&workspace)?;
    let ended =
        workers(global, &workspace, &clients, async |observer| step.execute(prepared, &observer).await)
            .await?;
    run::show(global, &ended, Deploying::Anyway)
}
