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
    let (from, to) = match (&args.from, &args.since) {
        (Some(from), _) => (from.clone(), args.to.clone()),
        (None, branch) => {
            let head = Workspace::at_commit(&location, "HEAD")?;
            let base = head.branched_off(branch.as_deref().unwrap_or("HEAD"))?;
            (base.to_string(), Some("HEAD".to_owned()))
        }
    };
    let from = timings.measure("base's build.toml", || Workspace::at_commit(&location, &from))?;
    let open = || match &to {
        Some(revision) => Workspace::at_commit(&location, revision),
        None => Workspace::on_disk(&location),
    };
    let to = timings.measure("repository and build.toml", open)?;
    let gathered = gather::compare((&from, &to), &args.selection.only, &timings).await?;
    let decided = timings.measure("plan", || Plan::decide(&gathered.facts))?;
    let code = timings.measure("printing", || plan::show(global, &decided, args.detailed_exitcode))?;
    plan::show_timings(global, &timings);
    process::exit(code)
}
