//! Gathers the facts that a plan is decided from. Start with [`gather`].
//!
//! The order of the work: the diff, the memory of earlier runs, the Dockerfiles with the images that they are
//! built from, the base images, the keys, the cache hits. An image that the environment runs already is not
//! looked up in the cache. An image is read only if the memory does not know it, or if it is to be built.

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::ImageKey;

use crate::changed::ChangedPath;
use crate::clients::Clients;
use crate::config::{Config, ImageName};
use crate::error::{Code, Error, Result};
use crate::parallel;
use crate::plan::{self, Facts, Head, ImageFacts, Reason, Unnamed};
use crate::process::Timings;
use crate::reference::{Digest, Reference};
use crate::workspace::{Files, Workspace};

mod base;
mod changes;
mod comparison;
mod deploy_inputs;
mod explanation;
mod hits;
mod image_inputs;
mod inputs;
mod keys;
mod locking;
mod memory;
mod order;
mod query;
mod sources;
mod uncommitted;

pub use base::Base;
pub use comparison::compare;
pub use explanation::{Explanation, Readers, explain, readers};
pub use image_inputs::ImageInputs;
pub(crate) use inputs::{Part, Selections, globs};
pub use locking::{Renewal, relock};
pub(crate) use locking::{base_images, entitlements};
pub use order::{Order, order};
pub use query::{Detail, Query, ReleaseOptions, Scope};
pub(crate) use sources::{BaseDigests, Bases, Source, Sources};

use changes::{Changes, Diff};
use deploy_inputs::DeployInputs;
use keys::Keys;
use memory::{ImageMemory, KnownImages, Recall};
use uncommitted::LeftOut;

/// The fewest changed paths that are worth a thread.
const SHARE: usize = 64;

/// The gathered facts of a plan, and the further data that its builds need.
pub struct Gathered {
    /// The facts that a plan is decided from.
    pub facts: Facts,
    bases: BaseDigests,
    /// The images in the engine's store that have the local tag already.
    pub(crate) named: BTreeSet<ImageName>,
    sources: BTreeMap<ImageName, Source>,
    keys: Keys,
}

impl Gathered {
    /// The Dockerfile, contexts and dependencies of an image of the plan.
    pub(crate) fn source(&self, image: &ImageName) -> Result<&Source> {
        let missing = || Error::new(Code::NotDeclared, format!("build.toml declares no image `{image}`"));
        self.sources.get(image).ok_or_else(missing)
    }

    /// The content key of an image of the plan.
    pub(crate) fn key(&self, image: &ImageName) -> Option<ImageKey> {
        self.keys.get(image).map(|keyed| keyed.key)
    }

    /// The name of a base image by which a build takes exactly what the keys were made from; none where the Dockerfile's own
    /// name is all that is known, or says as much.
    pub(crate) fn pinned(&self, base: &str) -> Option<String> {
        self.bases.pinned(base)
    }

    /// The base images that the engine alone has: the id of each, and the name that pins it in the engine's store.
    pub(crate) fn held_bases(&self) -> Result<Vec<(Digest, Reference)>> {
        self.bases.held()
    }

    /// What of its contexts an image of the plan reads.
    pub(crate) fn selections(&self, image: &ImageName) -> Option<&Selections> {
        self.keys.get(image).map(|keyed| &keyed.selections)
    }
}

/// Gathers all facts that a plan is decided from. `base` is the release that the target environment runs; it is
/// empty for a local build.
///
/// # Errors
/// Fails when git, a Dockerfile, a registry or the engine cannot be read, or an image's files are not there.
pub async fn gather(
    clients: &Clients,
    workspace: &Workspace,
    query: &Query,
    base: Base,
    timings: &Timings,
) -> Result<Gathered> {
    let left_out = LeftOut::look(workspace, query)?;
    let diff = timings.measure("diff", || Diff::with(&base, workspace, query))?;
    let deploy = timings.measure("deployment's files", || DeployInputs::read(workspace, query))?;
    let memory = if query.needs_all() { None } else { ImageMemory::of(workspace)? };
    let known = async {
        let Some(memory) = &memory else { return Ok(KnownImages::none(query)) };
        let recall = Recall { workspace, memory, base: &base, diff: &diff };
        KnownImages::find(&recall, query)?.look_up(clients, query, &base).await
    };
    let known = timings.measure_async("images of earlier runs", known).await?;
    let KnownImages { images: mut known, unread, missed } = known;
    let mut bases = match query {
        Query::Compare(_) => Bases::by_name(clients, workspace),
        Query::Local(_) | Query::Release { .. } => {
            Bases::locked(clients, workspace).recorded(base.current.as_ref())
        }
    };
    let read = Sources::read(workspace, &mut bases, &unread);
    let Sources { order, images: sources } = timings.measure_async("Dockerfiles", read).await?;
    // An image that others are built from may have been read together with them.
    known.retain(|image| !sources.contains_key(&image.name));
    let bases = bases.into_digests();
    let keys = timings.measure("keys", || keys::fields(workspace, &order, &sources, &bases.digests))?;
    let changes = diff.complete(clients, workspace, query, (&base, &deploy), (&sources, &keys));
    let changes = timings.measure_async("changed paths", changes).await?;
    let older = changes::since_older(&base, workspace, query, &keys)?;
    let (config, files, scope) = (&workspace.config, workspace.files, query.scope());
    let read =
        ReadImages { config, files, scope, order: &order, sources: &sources, keys: &keys, older: &older };
    known.extend(timings.measure("causes", || read.facts(&changes, memory.as_ref()))?);
    let mut images = in_order(known)?;
    let hits = hits::look_up(clients, query, &base, &mut images, &missed);
    let named = timings.measure_async("look-ups", hits).await?;
    timings.measure("memo", || workspace.repository.remember());
    let facts = Facts {
        environment: query.environment().cloned(),
        removed: base.removed(workspace, query),
        deploy_changes: deploy.changed(&changes.paths),
        base: changes.base,
        head: head(workspace)?,
        images,
        current: base.current,
        last_failed: base.last_failed,
        deploy_inputs: deploy.digest,
        deploy_settings: deploy.settings,
        notes: deploy
            .notes
            .into_iter()
            .chain(other_branch(workspace, query)?)
            .chain(left_out.note())
            .collect(),
        request: query.request(),
    };
    Ok(Gathered { facts, bases, named, sources, keys })
}

/// The images of a query that were read, because the memory did not know them.
struct ReadImages<'a> {
    config: &'a Config,
    files: Files,
    scope: &'a Scope,
    /// The images, each after the images that it is built from.
    order: &'a [ImageName],
    sources: &'a BTreeMap<ImageName, Source>,
    keys: &'a Keys,
    /// The changed paths of images that run from another commit than the base; none where the clone lacks that
    /// commit.
    older: &'a BTreeMap<ImageName, Option<Vec<ChangedPath>>>,
}

impl ReadImages<'_> {
    /// The facts of each image with the changed paths among its inputs, on several threads where there are many
    /// paths.
    fn facts(&self, changes: &Changes, memory: Option<&ImageMemory<'_>>) -> Result<Vec<ImageFacts>> {
        let threads = parallel::threads(changes.paths.len(), SHARE);
        let facts = |(): &(), name: &ImageName| self.of_image(name, changes);
        let found = parallel::map(self.order, threads, &(), || (), facts).into_iter();
        let facts = found.map(|facts| {
            let facts = facts?;
            if let Some(memory) = memory {
                let read = (self.sources, &self.keys[&facts.name]);
                memory.note(&facts.name, read, (&facts.changes, self.changes(&facts.name, changes).0))?;
            }
            Ok(facts)
        });
        facts.collect()
    }

    /// The base images that cannot be had, of an image and of all that it is built from.
    fn lost(&self, name: &ImageName) -> Vec<Reason> {
        let mut lost: Vec<Reason> = self.sources[name].lost().to_vec();
        if self.sources.values().all(|source| source.lost().is_empty()) {
            return lost;
        }
        for need in memory::needs(name, self.sources) {
            for base in self.sources.get(&need).into_iter().flat_map(Source::lost) {
                if !lost.contains(base) {
                    lost.push(base.clone());
                }
            }
        }
        lost
    }

    /// The changed paths since the image was deployed, and why none of them may be named.
    fn changes<'c>(&'c self, name: &ImageName, changes: &'c Changes) -> (&'c [ChangedPath], Unnamed) {
        let (paths, unnamed) = match self.older.get(name) {
            None => (changes.paths.as_slice(), changes.unnamed()),
            Some(Some(paths)) => (paths.as_slice(), Unnamed::OtherInputs),
            Some(None) => (&[][..], Unnamed::BaseMissing),
        };
        let on_disk = self.sources.get(name).is_some_and(|source| source.files != self.files);
        (paths, if on_disk { Unnamed::Disk } else { unnamed })
    }

    fn of_image(&self, name: &ImageName, changes: &Changes) -> Result<ImageFacts> {
        let (changes, unnamed) = self.changes(name, changes);
        let (source, keyed) = (&self.sources[name], &self.keys[name]);
        let image = source.declared(self.config)?;
        let selections = &keyed.selections;
        Ok(ImageFacts {
            unknown_triggers: source.trigger_notes(),
            lost: self.lost(name),
            name: name.clone(),
            repository: image.repository.clone(),
            dockerfile: image.dockerfile.to_string(),
            key: keyed.key,
            fields: keyed.fields.clone(),
            dependencies: source.dependencies.clone(),
            changes: source.contexts.changed(selections, changes).into_iter().cloned().collect(),
            unnamed,
            stale: source.stale(),
            notes: keyed.notes(source),
            cached: false,
            digest: None,
            released: self.scope.images.contains(name),
        })
    }
}

/// The images, each after the images that it is built from.
fn in_order(images: Vec<ImageFacts>) -> Result<Vec<ImageFacts>> {
    let needs: Vec<_> = images.iter().map(|image| (&image.name, &image.dependencies)).collect();
    let order = plan::graph::order(&needs)?;
    let mut images: Vec<Option<ImageFacts>> = images.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| images[place].take()).collect())
}

/// The remark that HEAD is on a branch that the environment does not follow.
fn other_branch(workspace: &Workspace, query: &Query) -> Result<Option<String>> {
    let followed =
        query.declared(workspace).and_then(|declared| Some((&declared.name, declared.branch.as_ref()?)));
    let (Some((environment, followed)), Files::Commit(commit)) = (followed, workspace.files) else {
        return Ok(None);
    };
    let head = workspace.repository.head()?.filter(|head| head.commit == commit);
    let Some(branch) = head.and_then(|head| head.branch).filter(|branch| branch != followed) else {
        return Ok(None);
    };
    let whose = match workspace.config.environment_of_branch(&branch) {
        Some(other) => format!("the branch of `{}`", other.name),
        None => "a branch of no environment".to_owned(),
    };
    Ok(Some(format!("`{environment}` follows the branch `{followed}`; this is `{branch}`, {whose}")))
}

fn head(workspace: &Workspace) -> Result<Head> {
    Ok(match workspace.files {
        Files::Commit(commit) => Head::Commit { id: commit.to_string() },
        Files::Disk => {
            let commit = workspace.repository.head()?.map(|head| head.commit.to_string());
            Head::WorkingTree { commit }
        }
    })
}
