//! `dtbuild build`: from the files on the disk into the engine's store.

use std::collections::BTreeMap;

use super::{plan, print_release};
use crate::cli::{BuildArgs, Global};
use crate::clients::Clients;
use crate::engine::{AnyEngine, Archive, BuildRequest, Engine as _, Output};
use crate::error::{Error, Kind, Result};
use crate::gather::{self, Gathered, Query};
use crate::plan::{Decision, Head, Plan};
use crate::reference::LOCAL_TAG;
use crate::release::builds::Builds;
use crate::release::requests;
use crate::release::requests::Purpose;
use crate::release::session::Session;
use crate::ui;
use crate::workspace::Workspace;

/// Runs `dtbuild build`.
pub(super) fn build(global: &Global, args: &BuildArgs) -> Result<u8> {
    let clients = Clients::unless(args.offline).for_building(&args.building);
    let workspace = clients.timings.measure("repository and build.toml", || Workspace::on_disk(global))?;
    if args.output.is_some() && args.images.len() != 1 {
        return Err(Error::new(Kind::Usage, "`--output` is for one image").hint("name it alone"));
    }
    let mut query = Query::local(&workspace, &args.images, args.force)?;
    // A build does not say why it builds, and git's look at the whole working tree takes longer than the keys.
    query.explained = args.dry_run;
    let gathered = gather::gather(&clients, &workspace, &query, None)?;
    let plan = Plan::decide(&gathered.facts)?;
    if args.dry_run {
        let code = clients.timings.measure("printing", || plan::show(global, &plan, false))?;
        if global.timings {
            clients.timings.print();
        }
        return Ok(code);
    }
    let purpose = (Purpose::Local, &args.building);
    let builds = Builds::prepare(&clients, &workspace, &gathered, &plan, purpose)?;
    let session = Session::start(&clients, global, &workspace)?;
    session.announce(&plan);
    let engine = clients.engine()?;
    let export = export(global, &workspace, &gathered, &plan, args)?;
    let built = clients.block_on(async {
        if let Some(request) = &export {
            engine.check(request).await?;
        }
        builds.run(&plan, &session).await?;
        name_hits(&engine, &gathered, &plan).await?;
        // All of its steps are there by now.
        if let Some(request) = &export {
            engine.build(request, &session.events).await?;
        }
        Ok(())
    });
    session.finish(built)?;
    show(global, &plan)
}

/// The build that writes the named image into a file, where that is asked for.
fn export(
    global: &Global,
    workspace: &Workspace,
    gathered: &Gathered,
    plan: &Plan,
    args: &BuildArgs,
) -> Result<Option<BuildRequest>> {
    let Some(archive) = &args.output else { return Ok(None) };
    let named = plan.images.iter().find(|image| args.images.contains(&image.name));
    let request = named.map(|image| requests::request(workspace, gathered, image, Purpose::Local, false));
    let request = request.transpose()?;
    // As if started there.
    let path =
        global.directory.as_ref().map_or_else(|| archive.path.clone(), |from| from.join(&archive.path));
    let output = Output::File(Archive { kind: archive.kind, path });
    Ok(request.map(|request| BuildRequest { output, ..request }))
}

/// An image that was built before gets the local tag again where another branch's has it.
async fn name_hits(engine: &AnyEngine, gathered: &Gathered, plan: &Plan) -> Result<()> {
    let unnamed = plan
        .images
        .iter()
        .filter(|image| image.decision == Decision::Reuse && !gathered.named.contains(&image.name));
    for image in unnamed {
        engine.tag(&image.key_reference(), &image.repository.tagged(LOCAL_TAG)?).await?;
    }
    Ok(())
}

/// Prints the names of a local plan's images.
pub(super) fn show(global: &Global, plan: &Plan) -> Result<u8> {
    let named = plan.images.iter().map(|image| Ok((image.name.clone(), image.repository.tagged(LOCAL_TAG)?)));
    let images = named.collect::<Result<BTreeMap<_, _>>>()?;
    let commit = match &plan.head {
        Head::Commit { id } => Some(id.as_str()),
        Head::WorkingTree { .. } => None,
    };
    let view = ui::release::ReleaseView { environment: None, commit, outcome: "built", images: &images };
    print_release(global, &view)?;
    Ok(0)
}
