//! `dtbuild explain`: the reasons why an image is built, or the images that have a file as an input. Start with
//! [`explain`].

use super::options;
use crate::cli::{ExplainArgs, Global};
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::{Error, Kind, Result};
use crate::gather::{self, Query, ReleaseOptions};
use crate::ui;
use crate::ui::explain::{Cause, ImageView, PathView};
use crate::workspace::Workspace;

/// Runs `dtbuild explain`.
pub(super) async fn explain(global: &Global, args: &ExplainArgs) -> Result<u8> {
    let clients = options::asking(args.offline);
    let workspace = options::workspace(global, &args.files)?;
    match (&args.image, &args.path) {
        (_, Some(path)) => of_path(global, &clients, &workspace, path).await,
        (Some(image), None) => of_image(global, args, (&clients, &workspace), image).await,
        (None, None) => Err(Error::new(Kind::Usage, "name an image, or a file with `--path`")),
    }
}

async fn of_image(
    global: &Global,
    args: &ExplainArgs,
    (clients, workspace): (&Clients, &Workspace),
    image: &ImageName,
) -> Result<u8> {
    let query = if args.files.disk {
        Query::local(workspace, &[], false)?
    } else {
        let (environment, base) = (args.environment.clone(), args.base.clone());
        Query::release(workspace, ReleaseOptions { environment, base, ..ReleaseOptions::default() })?
    };
    let explanation = gather::explain(clients, workspace, query, image).await?;
    let view = ImageView {
        plan: &explanation.plan,
        image: &explanation.image,
        dockerfile: explanation.dockerfile,
        causes: explanation.causes.into_iter().map(|(reason, read_by)| Cause { reason, read_by }).collect(),
        dependents: explanation.dependents,
        notes: explanation.notes,
    };
    ui::print(&view, global.format())?;
    Ok(0)
}

async fn of_path(global: &Global, clients: &Clients, workspace: &Workspace, path: &str) -> Result<u8> {
    let gather::Readers { path, exists, meant, images } = gather::readers(clients, workspace, path).await?;
    let (path, meant) = (path.to_string(), meant.map(|meant| meant.to_string()));
    let view = PathView { path, files: workspace.files.to_string(), exists, meant, images };
    ui::print(&view, global.format())?;
    Ok(0)
}
