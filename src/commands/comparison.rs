//! `dtbuild plan --from` and `--since`: the images that a range of commits would rebuild, by the keys of both ends.

use super::{options, plan};
use crate::cli::{Global, PlanArgs};
use crate::error::Result;
use crate::gather;
use crate::plan::Plan;
use crate::process::{self, Timings};
use crate::workspace::Workspace;

/// Compares the two ends; without `--to`, the range ends at the files on the disk.
pub(super) async fn compare(global: &Global, args: &PlanArgs) -> Result<u8> {
    let (location, timings) = (options::location(global), Timings::default());
    let open = || match (&args.from, &args.since) {
        (Some(from), _) => Workspace::at_commit(&location, from),
        (None, branch) => Workspace::branched_off(&location, branch.as_deref().unwrap_or("HEAD")),
    };
    let from = timings.measure("repository and base's build.toml", open)?;
    let to = if args.from.is_some() { args.to.as_deref() } else { Some("HEAD") };
    let to = timings.measure("build.toml", || from.other(to))?;
    let gathered = gather::compare((&from, &to), &args.selection.only, &timings).await?;
    let decided = timings.measure("plan", || Plan::decide(&gathered.facts))?;
    let code = timings.measure("printing", || plan::show(global, &decided, args.detailed_exitcode))?;
    plan::show_timings(global, &timings);
    process::exit(code)
}
