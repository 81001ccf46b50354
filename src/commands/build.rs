//! `dtbuild build`: a build of images from the files on the disk into the engine's store. Start with [`build`].

use super::{options, plan, workers};
use crate::cli::{BuildArgs, Global};
use crate::engine::Archive;
use crate::error::{Error, Kind, Result};
use crate::gather::{self, Base, Query};
use crate::plan::Plan;
use crate::process::Timings;
use crate::release::local::{self, Export};
use crate::ui;
use crate::workspace::Workspace;

/// Runs `dtbuild build`.
pub(super) async fn build(global: &Global, args: &BuildArgs) -> Result<u8> {
    let clients = options::building(&args.building, args.offline);
    let (location, timings) = (options::location(global), Timings::default());
    let workspace = timings.measure("repository and build.toml", || Workspace::on_disk(&location))?;
    let export = export(global, args)?;
    let query = Query::local(&workspace, &args.images, args.force)?;
    // A build shows no reasons, and git's look at the whole working tree takes longer than the keys.
    let query = if args.dry_run { query } else { query.unexplained() };
    let gathered = gather::gather(&clients, &workspace, &query, Base::default(), &timings).await?;
    let plan = Plan::decide(&gathered.facts)?;
    if args.dry_run {
        let code = timings.measure("printing", || plan::show(global, &plan, false))?;
        plan::show_timings(global, &timings);
        return Ok(code);
    }
    let settings = options::settings(&args.building);
    workers(global, &workspace, &clients, async |observer| {
        local::build(&clients, &workspace, (&gathered, &plan), export.as_ref(), settings, &observer).await
    })
    .await?;
    show(global, &plan)
}

/// The archive of `--output` to which the one named image is written as well; none without `--output`. The archive's
/// path is relative to the folder of `-C`.
fn export(global: &Global, args: &BuildArgs) -> Result<Option<Export>> {
    let Some(Archive { kind, path }) = &args.output else { return Ok(None) };
    let [image] = &args.images[..] else {
        return Err(Error::new(Kind::Usage, "`--output` is for one image").hint("name it alone"));
    };
    let path = global.directory.as_ref().map_or_else(|| path.clone(), |from| from.join(path));
    Ok(Some(Export { image: image.clone(), archive: Archive { kind: *kind, path } }))
}

/// Prints the names of a local plan's images.
pub(super) fn show(global: &Global, plan: &Plan) -> Result<u8> {
    let images = local::names(plan)?;
    let view = ui::release::ReleaseView {
        environment: None,
        commit: plan.head.commit(),
        outcome: "built",
        images: &images,
    };
    ui::print(&view, global.format())?;
    Ok(0)
}
