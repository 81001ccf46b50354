//! Explanations: the causes of an image's build, and the images that read a path. Start with [`explain`] and
//! [`readers`].

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::path::join;

use super::query::{Detail, Query};
use super::{Base, Bases, Gathered, Sources, gather};
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::{Code, Error, Kind, Result};
use crate::plan::{self, Plan, PlannedImage, Reader, Reason, Unread};
use crate::process::Timings;
use crate::suggestion::nearest;
use crate::workspace::Workspace;

/// The explanation of one image of a plan.
pub struct Explanation {
    /// The plan that is explained.
    pub plan: Plan,
    /// The image of the plan that is explained.
    pub image: PlannedImage,
    /// The image's Dockerfile, as `build.toml` names it.
    pub dockerfile: String,
    /// The reasons of the decision, each changed path with the readers of the path.
    pub causes: Vec<(Reason, Vec<Reader>)>,
    /// The images that are built from this image, directly or not.
    pub dependents: Vec<ImageName>,
    /// The remarks on inputs that are not exact, or that count as a whole.
    pub notes: Vec<String>,
}

/// The images with their readers of one path, or with the reason why an image does not read the path.
pub struct Readers {
    /// The path, from the repository's root.
    pub path: BString,
    /// True if the path is a file of the workspace.
    pub exists: bool,
    /// The file that the user may have meant; only where `path` does not exist.
    pub meant: Option<BString>,
    /// Every image with its readers of the path, or with the reason why the path is no input.
    pub images: BTreeMap<ImageName, std::result::Result<Vec<Reader>, Unread>>,
}

/// Explains the decision of the query's plan about one of its images.
///
/// # Errors
/// Fails when the image is unknown, or a plan cannot be made.
pub async fn explain(
    clients: &Clients,
    workspace: &Workspace,
    query: Query,
    image: &ImageName,
) -> Result<Explanation> {
    workspace.check_images([image])?;
    let mut query = query.with_detail(Detail::All);
    query.scope_mut().images.insert(image.clone());
    let base = match query.environment() {
        Some(environment) => {
            Base::of(&clients.newest_record(workspace, environment).await?, &workspace.config)
        }
        None => Base::default(),
    };
    let gathered = gather(clients, workspace, &query, base, &Timings::default()).await?;
    let plan = Plan::decide(&gathered.facts)?;
    if let Some(unknown) = plan.unknown.iter().find(|unknown| unknown.name == *image) {
        return Err(unknown.undecided().into());
    }
    let planned = plan.images.iter().find(|planned| planned.name == *image).cloned();
    let planned =
        planned.ok_or_else(|| Error::new(Code::NotDeclared, format!("the plan has no image `{image}`")))?;
    let source = gathered.source(image)?;
    Ok(Explanation {
        dockerfile: source.declared(&workspace.config)?.dockerfile.to_string(),
        causes: causes(&gathered, &planned)?,
        dependents: dependents(&gathered, image),
        notes: gathered.selections(image).map(|selections| source.inexact(selections)).unwrap_or_default(),
        image: planned,
        plan,
    })
}

/// Finds the images that have a file among their inputs. The file need not exist.
///
/// # Errors
/// Fails when `path` leads out of the repository or is a folder, or a Dockerfile cannot be read.
pub async fn readers(clients: &Clients, workspace: &Workspace, path: &str) -> Result<Readers> {
    let path = normal(path)?;
    let (repository, files) = (&workspace.repository, workspace.files);
    let exists = files.read(repository, path.as_bstr())?.is_some();
    if !exists && files.folder(repository, path.as_bstr())?.is_some() {
        return Err(Error::new(Kind::Usage, format!("`{path}` is a folder of {files}"))
            .hint("name a file; `dtbuild inputs IMAGE` lists all that an image reads"));
    }
    let meant = if exists { None } else { meant(workspace, path.as_bstr())? };
    let all: BTreeSet<ImageName> = workspace.config.images.keys().cloned().collect();
    let sources = Sources::read(workspace, &mut Bases::locked(clients, workspace), &all).await?;
    let path_read: &BStr = path.as_ref();
    let mut images = BTreeMap::new();
    for (name, source) in &sources.images {
        let selections = source.contexts.select(&workspace.repository, source.files)?;
        images.insert(name.clone(), source.contexts.readers(&selections, path_read));
    }
    Ok(Readers { path, exists, meant, images })
}

/// The existing file that a missing path may stand for: the path inside a context, or a path of similar names.
fn meant(workspace: &Workspace, path: &BStr) -> Result<Option<BString>> {
    let (repository, files) = (&workspace.repository, workspace.files);
    for image in workspace.config.images.values().filter(|image| !image.context.is_empty()) {
        let inside = join(image.context.as_bstr(), path);
        if files.read(repository, inside.as_bstr())?.is_some() {
            return Ok(Some(inside));
        }
    }
    let mut found = BString::default();
    for component in path.split_str("/") {
        let Some(folder) = files.folder(repository, found.as_bstr())? else { return Ok(None) };
        let names = folder.names()?;
        let alike = || nearest(component.to_str().ok()?, names.iter().filter_map(|name| name.to_str().ok()));
        let is_there = names.iter().any(|name| *name == component);
        let name = if is_there { Some(BStr::new(component)) } else { alike().map(BStr::new) };
        let Some(name) = name else { return Ok(None) };
        found = join(found.as_bstr(), name);
    }
    Ok(files.read(repository, found.as_bstr())?.map(|_| found))
}

fn causes(gathered: &Gathered, image: &PlannedImage) -> Result<Vec<(Reason, Vec<Reader>)>> {
    let contexts = &gathered.source(&image.name)?.contexts;
    let readers = |reason: &Reason| -> Vec<Reader> {
        match (reason, gathered.selections(&image.name)) {
            (Reason::PathChanged(changed), Some(selections)) => {
                contexts.readers(selections, changed.path.as_ref()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    };
    Ok(image.reasons.iter().map(|reason| (reason.clone(), readers(reason))).collect())
}

fn dependents(gathered: &Gathered, image: &ImageName) -> Vec<ImageName> {
    let needs: BTreeMap<_, _> =
        gathered.facts.images.iter().map(|facts| (facts.name.clone(), facts.dependencies.clone())).collect();
    let stands_on = |name: &&ImageName| {
        *name != image && plan::graph::closure(&BTreeSet::from([(*name).clone()]), &needs).contains(image)
    };
    needs.keys().filter(stands_on).cloned().collect()
}

/// The path from the repository's root, without empty parts and `.`.
fn normal(path: &str) -> Result<BString> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() || path.starts_with('/') || parts.contains(&"..") {
        return Err(Error::new(Kind::Usage, format!("`{path}` is not the path of a file of the repository"))
            .hint("paths are from the repository's root"));
    }
    Ok(parts.join("/").into())
}
