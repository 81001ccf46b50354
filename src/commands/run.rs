//! `dtbuild` without a command, the CD step: plan, build, push, tag, deploy, record. Start with [`run`].

use super::{build, options, plan, workers};
use crate::cli::{Global, RunArgs};
use crate::error::Result;
use crate::gather::Query;
use crate::plan::{Deploying, NoDeploy};
use crate::process::Timings;
use crate::release::{CdStep, Ended};
use crate::ui;
use crate::workspace::Workspace;

/// Runs the CD step.
pub(super) async fn run(global: &Global, args: &RunArgs) -> Result<u8> {
    if args.dry_run {
        let preview = plan::preview(global, &args.selection, args.detailed_exitcode, args.offline);
        return Box::pin(preview).await;
    }
    let (clients, timings) = (options::building(&args.building, false), Timings::default());
    let workspace = Workspace::at_commit(&options::location(global), &args.selection.head)?;
    let deploying = match args {
        RunArgs { no_push: true, .. } => Deploying::No(NoDeploy::NoPush),
        RunArgs { no_deploy: true, .. } => Deploying::No(NoDeploy::NoDeploy),
        _ => Deploying::AsPlanned,
    };
    let query = Query::release(&workspace, options::release(&args.selection))?;
    let query = query.with_deploying(deploying).unexplained();
    let settings = options::settings(&args.building);
    let step = CdStep {
        clients: &clients,
        workspace: &workspace,
        query: &query,
        settings,
        wait: args.waiting.wait,
        timings: &timings,
    };
    let prepared = step.prepare().await?;
    prepared.plan.check_decided()?;
    // With `--no-deploy` the tags are to name this release, even when nothing is to be built.
    let idle =
        if args.no_push { prepared.plan.builds().next().is_none() } else { prepared.plan.is_nothing() };
    if idle && (!args.no_deploy || prepared.is_superseded()) {
        return plan::show(global, &prepared.plan, false);
    }
    if args.no_push {
        workers(global, &workspace, &clients, async |observer| step.build_only(&prepared, &observer).await)
            .await?;
        return build::show(global, &prepared.plan);
    }
    let ended =
        workers(global, &workspace, &clients, async |observer| step.execute(prepared, &observer).await)
            .await?;
    show(global, &ended, deploying)
}

/// Prints a release that was pushed or deployed, or the plan by which there was nothing to do.
pub(super) fn show(global: &Global, ended: &Ended, deploying: Deploying) -> Result<u8> {
    let release = match ended {
        Ended::Released(release) => release,
        Ended::Nothing(plan) => return plan::show(global, plan, false),
    };
    let view = ui::release::ReleaseView {
        environment: Some(&release.environment),
        commit: release.commit.as_deref(),
        outcome: if matches!(deploying, Deploying::No(_)) { "pushed" } else { "deployed" },
        images: &release.images,
    };
    ui::print(&view, global.format())?;
    Ok(0)
}
