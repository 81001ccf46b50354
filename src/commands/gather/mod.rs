//! Gathers what a plan is decided from. Start with [`gather`].
//!
//! In this order: Dockerfiles and what they are built from, base images, keys, the diff, the hits. Only what
//! the environment does not run already is looked up in the cache.

use std::collections::BTreeMap;

use dtbuild_cache::key::ImageKey;
use dtbuild_cache::sources::Selection;

use super::edges::Edges;
use super::workspace::Workspace;
use crate::config::ImageName;
use crate::error::{Error, Kind, Result};
use crate::git::CommitId;
use crate::plan::{ChangedPath, Facts, Head, ImageFacts};
use crate::record::Record;
use crate::reference::Digest;

mod bases;
mod comparison;
mod hits;
mod inputs;
mod keys;
mod query;
mod reads;
mod source;
mod sources;
mod written;

pub(crate) use bases::Bases;
pub(crate) use query::Query;
pub(crate) use source::Source;
pub(crate) use sources::Sources;

use comparison::Comparison;
use keys::{Keyed, Keys};

/// What was found out: the facts for deciding, and what building needs besides.
pub(crate) struct Gathered {
    /// What a plan is decided from.
    pub(crate) facts: Facts,
    /// The digests of the base images.
    pub(crate) bases: BTreeMap<String, Digest>,
    sources: BTreeMap<ImageName, Source>,
    keys: Keys,
}

impl Gathered {
    /// What is known of an image of the plan.
    pub(crate) fn source(&self, image: &ImageName) -> Result<&Source> {
        let missing = || Error::new(Kind::Usage, format!("build.toml declares no image `{image}`"));
        self.sources.get(image).ok_or_else(missing)
    }

    /// The content key of an image of the plan.
    pub(crate) fn key(&self, image: &ImageName) -> Option<ImageKey> {
        self.keys.get(image).map(|keyed| keyed.key)
    }

    /// What of its context an image of the plan reads.
    pub(crate) fn selection(&self, image: &ImageName) -> Option<&Selection> {
        self.keys.get(image).map(|keyed| &keyed.selection)
    }
}

/// Finds out all that a plan is decided from.
pub(crate) fn gather(
    edges: &Edges,
    workspace: &Workspace,
    query: &Query,
    record: Option<&Record>,
) -> Result<Gathered> {
    let mut bases = Bases::locked(edges, workspace);
    let Sources { order, images: sources } = Sources::read(workspace, &mut bases, &query.images)?;
    let bases = bases.into_digests();
    let keys = keys::fields(workspace, &order, &sources, &bases)?;
    let comparison = Comparison::make(workspace, query, record)?;
    let mut images: Vec<ImageFacts> = Vec::with_capacity(order.len());
    for name in &order {
        let (source, keyed) = (&sources[name], &keys[name]);
        images.push(image_facts(workspace, query, name, source, keyed, &comparison.changes)?);
    }
    hits::look_up(edges, query, comparison.current.as_ref(), &mut images)?;
    let (deploy_inputs, deploy_changes) = comparison.deploy_inputs(workspace, query)?;
    let facts = Facts {
        environment: query.environment.clone(),
        base: comparison.base,
        head: head(workspace)?,
        images,
        current: comparison.current,
        last_failed: comparison.last_failed,
        deploy_inputs,
        deploy_changes,
        request: query.request.clone(),
    };
    Ok(Gathered { facts, bases, sources, keys })
}

fn image_facts(
    workspace: &Workspace,
    query: &Query,
    name: &ImageName,
    source: &Source,
    keyed: &Keyed,
    changes: &[ChangedPath],
) -> Result<ImageFacts> {
    let image = source.declared(&workspace.config)?;
    let of_inputs =
        changes.iter().filter(|change| source.inputs.contains(&keyed.selection, change.path.as_ref()));
    Ok(ImageFacts {
        name: name.clone(),
        repository: image.repository.clone(),
        dockerfile: image.dockerfile.to_string(),
        key: keyed.key,
        fields: keyed.fields.clone(),
        dependencies: source.dependencies.clone(),
        changes: of_inputs.cloned().collect(),
        stale: source.stale(),
        notes: source.notes(&keyed.selection),
        cached: false,
        digest: None,
        released: query.images.contains(name),
    })
}

fn head(workspace: &Workspace) -> Result<Head> {
    Ok(match workspace.files {
        super::files::Files::Commit(commit) => Head::Commit { id: commit.to_string() },
        super::files::Files::Disk => {
            Head::WorkingTree { commit: head_commit(workspace)?.map(|id| id.to_string()) }
        }
    })
}

fn head_commit(workspace: &Workspace) -> Result<Option<CommitId>> {
    Ok(workspace.repository.head()?.map(|head| head.commit))
}
