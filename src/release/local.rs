//! Local builds: from the files on the disk into the engine's store. Start with [`build`].

use std::collections::BTreeMap;

use super::builds::Builds;
use super::requests::{self, Purpose};
use super::{BuildSettings, Observer};
use crate::clients::Clients;
use crate::config::ImageName;
use crate::engine::{AnyEngine, Archive, BuildRequest, Engine as _, Output};
use crate::error::Result;
use crate::gather::Gathered;
use crate::plan::{Decision, Plan};
use crate::reference::{LOCAL_TAG, Reference};
use crate::workspace::Workspace;

/// A file that one image of a local build is written to, besides the engine's store.
#[derive(Clone, Debug)]
pub struct Export {
    /// The image's name.
    pub image: ImageName,
    /// The file's path and format.
    pub archive: Archive,
}

/// Builds the images that a plan decided to build into the engine's store, gives all of the plan's images the
/// local tag, and writes the export.
///
/// # Errors
/// Fails when an image cannot be built, or the export cannot be written.
pub async fn build(
    clients: &Clients,
    workspace: &Workspace,
    (gathered, plan): (&Gathered, &Plan),
    export: Option<&Export>,
    settings: BuildSettings,
    observer: &Observer,
) -> Result<()> {
    let prepare = async {
        let builds = Builds::prepare(clients, workspace, gathered, plan, Purpose::Local, settings).await?;
        let engine = clients.engine().await?;
        let export = export.and_then(|export| exporting(workspace, (gathered, plan), export)).transpose()?;
        Ok((builds, engine, export))
    };
    let (builds, engine, export) = observer.unless_cancelled(prepare).await?;
    let told = observer.begin(plan);
    let built = async {
        if let Some(request) = &export {
            engine.check(request).await?;
        }
        for (id, name) in gathered.held_bases()? {
            engine.name_by_id(&id, &name).await?;
        }
        builds.run(plan, observer).await?;
        name_hits(&engine, gathered, plan).await?;
        // The engine has all build steps of the export by now.
        if let Some(request) = &export {
            engine.build(request, &observer.events).await?;
        }
        Ok(())
    };
    told.end(built.await)
}

/// The references of a local plan's images, with the local tag.
///
/// # Errors
/// Fails when a repository's name leaves no room for the tag.
pub fn names(plan: &Plan) -> Result<BTreeMap<ImageName, Reference>> {
    plan.images.iter().map(|image| Ok((image.name.clone(), image.repository.tagged(LOCAL_TAG)?))).collect()
}

/// The build that writes an image into the export's file.
fn exporting(
    workspace: &Workspace,
    (gathered, plan): (&Gathered, &Plan),
    export: &Export,
) -> Option<Result<BuildRequest>> {
    let image = plan.images.iter().find(|image| image.name == export.image)?;
    let digests = requests::digests(gathered, plan);
    let request = requests::request(workspace, (gathered, &digests), image, Purpose::Local, false);
    Some(request.map(|request| BuildRequest { output: Output::File(export.archive.clone()), ..request }))
}

/// Gives reused images the local tag again where a build of another branch has it.
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
