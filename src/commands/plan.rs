//! `dtbuild plan`, and `--dry-run` of the other commands.

use crate::cli::{Global, PlanArgs, Selection};
use crate::error::Result;
use crate::plan::Plan;
use crate::ui;

use super::print;
use crate::clients::Clients;
use crate::gather::{self, Query, Wanted};
use crate::workspace::Workspace;

/// The exit code of `--detailed-exitcode` when something would be built.
const SOMETHING_TO_BUILD: u8 = 10;

/// Runs `dtbuild plan`.
pub(super) fn plan(global: &Global, args: &PlanArgs) -> Result<u8> {
    preview(global, &args.selection, args.detailed_exitcode, args.offline)
}

/// Says what a run would do; changes nothing.
pub(super) fn preview(
    global: &Global,
    selection: &Selection,
    detailed_exitcode: bool,
    offline: bool,
) -> Result<u8> {
    let clients = Clients::unless(offline).for_preview();
    let timings = &clients.timings;
    let workspace =
        timings.measure("repository and build.toml", || Workspace::at_commit(global, &selection.head))?;
    let query = Query { wanted: Wanted::Plan, ..Query::release(&workspace, selection)? };
    let environment = query.environment(&workspace)?.0;
    let record = timings.measure("record", || clients.read_record(&workspace, environment))?;
    let gathered = gather::gather(&clients, &workspace, &query, Some(&record))?;
    let plan = timings.measure("plan", || Plan::decide(&gathered.facts))?;
    let code = timings.measure("printing", || show(global, &plan, detailed_exitcode))?;
    if global.timings {
        timings.print();
    }
    // The process ends here: its memory and connections go with it, faster than piece by piece.
    std::mem::forget((clients, workspace, query, record, gathered, plan));
    Ok(code)
}

/// Prints a plan and returns the exit code that it means.
pub(super) fn show(global: &Global, plan: &Plan, detailed_exitcode: bool) -> Result<u8> {
    print(|out, styled| {
        if global.json {
            ui::plan::write_plan_json(out, plan)
        } else {
            ui::plan::write_plan(out, plan, styled)
        }
    })?;
    let something = plan.builds().next().is_some();
    Ok(if detailed_exitcode && something { SOMETHING_TO_BUILD } else { 0 })
}
