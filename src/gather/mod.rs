//! Gathers what a plan is decided from. Start with [`gather`].
//!
//! In this order: the diff, what earlier runs found out, Dockerfiles and what they are built from, base images, keys, the
//! hits. Only what the environment does not run already is looked up in the cache, and read where nobody remembers it or
//! it is to be built.

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::ImageKey;

use crate::changed::ChangedPath;
use crate::clients::Clients;
use crate::config::{Config, ImageName};
use crate::error::{Code, Error, Result};
use crate::git::CommitId;
use crate::parallel;
use crate::plan::{self, Facts, Head, ImageFacts};
use crate::record::Record;
use crate::reference::Digest;
use crate::workspace::Workspace;

mod comparison;
mod hits;
mod inputs;
mod keys;
mod memory;
mod query;
mod sources;
mod touched;

pub(crate) use inputs::{Part, Selections};
pub(crate) use query::{Query, Wanted};
pub(crate) use sources::{Bases, Source, Sources};

use comparison::Comparison;
use keys::{Keyed, Keys};
use memory::{Recalled, Remembered};

/// How many changed paths are worth a thread.
const SHARE: usize = 64;

/// What was found out: the facts for deciding, and what building needs besides.
pub(crate) struct Gathered {
    /// What a plan is decided from.
    pub(crate) facts: Facts,
    /// The digests of the base images.
    pub(crate) bases: BTreeMap<String, Digest>,
    /// The images in the engine's store that have the local tag already.
    pub(crate) named: BTreeSet<ImageName>,
    sources: BTreeMap<ImageName, Source>,
    keys: Keys,
}

impl Gathered {
    /// What is known of an image of the plan.
    pub(crate) fn source(&self, image: &ImageName) -> Result<&Source> {
        let missing = || Error::new(Code::NotDeclared, format!("build.toml declares no image `{image}`"));
        self.sources.get(image).ok_or_else(missing)
    }

    /// The content key of an image of the plan.
    pub(crate) fn key(&self, image: &ImageName) -> Option<ImageKey> {
        self.keys.get(image).map(|keyed| keyed.key)
    }

    /// What of its contexts an image of the plan reads.
    pub(crate) fn selections(&self, image: &ImageName) -> Option<&Selections> {
        self.keys.get(image).map(|keyed| &keyed.selections)
    }
}

/// Finds out all that a plan is decided from.
pub(crate) fn gather(
    clients: &Clients,
    workspace: &Workspace,
    query: &Query,
    record: Option<&Record>,
) -> Result<Gathered> {
    let timings = &clients.timings;
    let mut comparison = timings.measure("diff", || Comparison::make(workspace, query, record))?;
    let remembered = if query.needs_all() { None } else { Remembered::of(workspace)? };
    let recalled = timings.measure("images of earlier runs", || {
        Recalled::find(workspace, query, &comparison, remembered.as_ref())?.look_up(
            clients,
            query,
            &comparison,
        )
    })?;
    let Recalled { images: mut known, unread, missed } = recalled;
    let mut bases = Bases::locked(clients, workspace);
    let read = timings.measure("Dockerfiles", || Sources::read(workspace, &mut bases, &unread))?;
    let Sources { order, images: sources } = read;
    // What others are built from was read with them.
    known.retain(|image| !sources.contains_key(&image.name));
    let bases = bases.into_digests();
    let keys = timings.measure("keys", || keys::fields(workspace, &order, &sources, &bases))?;
    timings.measure("fetch", || comparison.fetch_missing(clients, workspace, query, &keys))?;
    timings.measure("diff of the disk", || comparison.with_disk(workspace, query, &sources, &keys))?;
    timings.measure("causes", || {
        let (config, changes) = (&workspace.config, &comparison.changes);
        let facts = |(): &(), name: &ImageName| {
            image_facts(config, query, (name, &sources[name]), &keys[name], changes)
        };
        let threads = parallel::threads(changes.len(), SHARE);
        for facts in parallel::map(&order, threads, &(), || (), facts) {
            let facts = facts?;
            if let Some(remembered) = &remembered {
                let read = (&sources, &keys[&facts.name]);
                remembered.note(&facts.name, read, (&facts.changes, changes))?;
            }
            known.push(facts);
        }
        Ok::<_, Error>(())
    })?;
    let mut images = in_order(known)?;
    let named =
        timings.measure("look-ups", || hits::look_up(clients, query, &comparison, &mut images, &missed))?;
    timings.measure("memo", || workspace.repository.remember());
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
    Ok(Gathered { facts, bases, named, sources, keys })
}

/// Every image after those that it is built from.
fn in_order(images: Vec<ImageFacts>) -> Result<Vec<ImageFacts>> {
    let needs: Vec<_> = images.iter().map(|image| (&image.name, &image.dependencies)).collect();
    let order = plan::graph::order(&needs)?;
    let mut images: Vec<Option<ImageFacts>> = images.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| images[place].take()).collect())
}

fn image_facts(
    config: &Config,
    query: &Query,
    (name, source): (&ImageName, &Source),
    keyed: &Keyed,
    changes: &[ChangedPath],
) -> Result<ImageFacts> {
    let image = source.declared(config)?;
    let selections = &keyed.selections;
    Ok(ImageFacts {
        name: name.clone(),
        repository: image.repository.clone(),
        dockerfile: image.dockerfile.to_string(),
        key: keyed.key,
        fields: keyed.fields.clone(),
        dependencies: source.dependencies.clone(),
        changes: source.contexts.changed(selections, changes).into_iter().cloned().collect(),
        stale: source.stale(),
        notes: source.notes(selections),
        cached: false,
        digest: None,
        released: query.images.contains(name),
    })
}

fn head(workspace: &Workspace) -> Result<Head> {
    Ok(match workspace.files {
        crate::workspace::files::Files::Commit(commit) => Head::Commit { id: commit.to_string() },
        crate::workspace::files::Files::Disk => {
            Head::WorkingTree { commit: head_commit(workspace)?.map(|id| id.to_string()) }
        }
    })
}

fn head_commit(workspace: &Workspace) -> Result<Option<CommitId>> {
    Ok(workspace.repository.head()?.map(|head| head.commit))
}
