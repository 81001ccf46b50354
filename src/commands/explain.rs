//! `dtbuild explain`: why an image is built, and which images a file is an input of.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;

use super::print;
use crate::cli::{ExplainArgs, Global, Selection};
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::{Code, Error, Kind, Result};
use crate::gather::{self, Bases, Gathered, Query, Sources, Wanted};
use crate::plan::{self, Plan, PlannedImage, Reader, Reason};
use crate::ui::explain::{
    Cause, ImageView, PathView, write_image, write_image_json, write_path, write_path_json,
};
use crate::workspace::Workspace;

/// Runs `dtbuild explain`.
pub(super) fn explain(global: &Global, args: &ExplainArgs) -> Result<u8> {
    match (&args.image, &args.path) {
        (_, Some(path)) => of_path(global, args, path),
        (Some(image), None) => of_image(global, args, image),
        (None, None) => Err(Error::new(Kind::Usage, "name an image, or a file with `--path`")),
    }
}

fn of_image(global: &Global, args: &ExplainArgs, image: &ImageName) -> Result<u8> {
    let clients = Clients::default();
    let workspace = Workspace::at(global, &args.files)?;
    workspace.check_images([image])?;
    let (mut query, record) = if args.files.disk {
        (Query::local(&workspace, &[], false)?, None)
    } else {
        let selection = Selection {
            environment: args.environment.clone(),
            base: args.base.clone(),
            ..Selection::default()
        };
        let query = Query::release(&workspace, &selection)?;
        let record = clients.read_record(&workspace, query.environment(&workspace)?.0)?;
        (query, Some(record))
    };
    query.images.insert(image.clone());
    query.wanted = Wanted::All;
    let gathered = gather::gather(&clients, &workspace, &query, record.as_ref())?;
    let plan = Plan::decide(&gathered.facts)?;
    let planned = plan.images.iter().find(|planned| planned.name == *image);
    let planned =
        planned.ok_or_else(|| Error::new(Code::NotDeclared, format!("the plan has no image `{image}`")))?;
    let source = gathered.source(image)?;
    let view = ImageView {
        plan: &plan,
        image: planned,
        dockerfile: source.declared(&workspace.config)?.dockerfile.to_string(),
        causes: causes(&gathered, planned)?,
        dependents: dependents(&gathered, image),
        notes: gathered.selections(image).map(|selections| source.inexact(selections)).unwrap_or_default(),
    };
    print(
        |out, styled| {
            if global.json { write_image_json(out, &view) } else { write_image(out, &view, styled) }
        },
    )?;
    Ok(0)
}

/// The reasons, each changed path with what reads it.
fn causes(gathered: &Gathered, image: &PlannedImage) -> Result<Vec<Cause>> {
    let contexts = &gathered.source(&image.name)?.contexts;
    let readers = |reason: &Reason| -> Vec<Reader> {
        match (reason, gathered.selections(&image.name)) {
            (Reason::PathChanged(changed), Some(selections)) => {
                contexts.readers(selections, changed.path.as_ref()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    };
    Ok(image
        .reasons
        .iter()
        .map(|reason| Cause { reason: reason.clone(), read_by: readers(reason) })
        .collect())
}

/// The images that are built from this one, directly or not.
fn dependents(gathered: &Gathered, image: &ImageName) -> Vec<ImageName> {
    let needs: BTreeMap<_, _> =
        gathered.facts.images.iter().map(|facts| (facts.name.clone(), facts.dependencies.clone())).collect();
    let stands_on = |name: &&ImageName| {
        *name != image && plan::graph::closure(&BTreeSet::from([(*name).clone()]), &needs).contains(image)
    };
    needs.keys().filter(stands_on).cloned().collect()
}

fn of_path(global: &Global, args: &ExplainArgs, path: &str) -> Result<u8> {
    let workspace = Workspace::at(global, &args.files)?;
    let path = clean(path)?;
    let all: BTreeSet<ImageName> = workspace.config.images.keys().cloned().collect();
    let clients = Clients::default();
    let sources = Sources::read(&workspace, &mut Bases::locked(&clients, &workspace), &all)?;
    let mut images = BTreeMap::new();
    for (name, source) in &sources.images {
        let selections = source.contexts.select(&workspace.repository, source.files)?;
        images.insert(name.clone(), source.contexts.readers(&selections, path.as_ref()));
    }
    let exists = workspace.files.read(&workspace.repository, path.as_ref())?.is_some();
    let view = PathView { path: path.to_string(), files: workspace.files.to_string(), exists, images };
    print(
        |out, styled| if global.json { write_path_json(out, &view) } else { write_path(out, &view, styled) },
    )?;
    Ok(0)
}

/// A path from the repository's root, without what means nothing in it.
fn clean(path: &str) -> Result<BString> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() || path.starts_with('/') || parts.contains(&"..") {
        return Err(Error::new(Kind::Usage, format!("`{path}` is not the path of a file of the repository"))
            .hint("paths are from the repository's root"));
    }
    Ok(parts.join("/").into())
}
