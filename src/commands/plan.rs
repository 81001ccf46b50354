//! `dtbuild plan`, and `--dry-run` of the other commands. Start with [`plan`].

use std::io;

use super::options;
use crate::cli::{Global, PlanArgs, Selection};
use crate::error::{Kind, Result};
use crate::gather::{self, Base, Detail, Order, Query};
use crate::plan::Plan;
use crate::process::{self, Timings};
use crate::ui;
use crate::workspace::Workspace;

/// The exit code of `--detailed-exitcode` if an image would be built.
const SOMETHING_TO_BUILD: u8 = 10;

/// Runs `dtbuild plan`.
pub(super) async fn plan(global: &Global, args: &PlanArgs) -> Result<u8> {
    Box::pin(preview(global, &args.selection, args.detailed_exitcode, args.offline)).await
}

/// Shows the plan of a run, and changes nothing.
pub(super) async fn preview(
    global: &Global,
    selection: &Selection,
    detailed_exitcode: bool,
    offline: bool,
) -> Result<u8> {
    let (clients, timings) = (options::asking(offline), Timings::default());
    let location = options::location(global);
    let open = || Workspace::at_commit(&location, &selection.head);
    let workspace = timings.measure("repository and build.toml", open)?;
    let query = Query::release(&workspace, options::release(selection))?.with_detail(Detail::Plan);
    let environment = &workspace.environment(selection.environment.as_ref())?.name;
    let record = timings.measure_async("record", clients.newest_record(&workspace, environment)).await?;
    let base = Base::of(&record, &workspace.config);
    let gathered = gather::gather(&clients, &workspace, &query, base, &timings).await?;
    let mut plan = timings.measure("plan", || Plan::decide(&gathered.facts))?;
    if !plan.is_nothing() {
        let order = Box::pin(gather::order(&clients, &workspace, &query, &record, false));
        if timings.measure_async("order", order).await? == Order::Superseded {
            plan = plan.superseded();
        }
    }
    let code = timings.measure("printing", || show(global, &plan, detailed_exitcode))?;
    show_timings(global, &timings);
    process::exit(code)
}

/// Prints a plan and returns the exit code.
pub(super) fn show(global: &Global, plan: &Plan, detailed_exitcode: bool) -> Result<u8> {
    ui::print(plan, global.format())?;
    if plan.lacks_decisions() {
        return Ok(Kind::Environment as u8);
    }
    let something = plan.builds().next().is_some();
    Ok(if detailed_exitcode && something { SOMETHING_TO_BUILD } else { 0 })
}

/// Prints the times of the phases, if `--timings` is given.
pub(super) fn show_timings(global: &Global, timings: &Timings) {
    if global.timings {
        let view = ui::timings::TimingsView { total: timings.total(), phases: timings.phases() };
        // If stderr is closed, there is no other place to report to.
        let _ = ui::timings::write_timings(&mut io::stderr().lock(), &view);
    }
}
