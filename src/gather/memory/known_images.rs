//! The images that need not be read, because the memory of earlier runs has all facts that the query wants.
//! Start with [`KnownImages::find`].

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::ImageKey;

use super::ImageMemory;
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::Result;
use crate::gather::base::Base;
use crate::gather::changes::Diff;
use crate::gather::hits;
use crate::gather::query::{Detail, Query};
use crate::plan::ImageFacts;
use crate::workspace::Workspace;

/// The images of a query, sorted into known images and images that have to be read.
#[derive(Default)]
pub(crate) struct KnownImages {
    /// The facts of the known images.
    pub(crate) images: Vec<ImageFacts>,
    /// The names of the images that have to be read.
    pub(crate) unread: BTreeSet<ImageName>,
    /// The unread images whose key is known, with this key, to be missing in the cache.
    pub(crate) missed: BTreeMap<ImageName, ImageKey>,
}

/// The memory of a workspace's images, and the base and diff that a recalled key is compared with.
pub(crate) struct Recall<'a, 'w> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) memory: &'a ImageMemory<'w>,
    pub(crate) base: &'a Base,
    pub(crate) diff: &'a Diff,
}

impl KnownImages {
    /// No known images: all images of the query have to be read.
    pub(crate) fn none(query: &Query) -> Self {
        Self { unread: query.scope().images.clone(), ..Self::default() }
    }

    /// Recalls the images of the query, and the images that they are built from where the environment runs
    /// another key.
    pub(crate) fn find(recall: &Recall<'_, '_>, query: &Query) -> Result<Self> {
        let (mut this, mut needed) = (Self::default(), BTreeSet::new());
        let asked = &query.scope().images;
        this.images.reserve_exact(asked.len());
        for image in asked {
            this.add(recall, image, true, &mut needed)?;
        }
        let mut seen = asked.clone();
        while let Some(image) = needed.pop_first() {
            if seen.insert(image.clone()) {
                this.add(recall, &image, false, &mut needed)?;
            }
        }
        Ok(this)
    }

    /// Adds an image to the known images, or to the images that have to be read.
    fn add(
        &mut self,
        recall: &Recall<'_, '_>,
        name: &ImageName,
        released: bool,
        needed: &mut BTreeSet<ImageName>,
    ) -> Result<()> {
        let Some(facts) = recall.facts(name, released)? else {
            self.unread.insert(name.clone());
            return Ok(());
        };
        if !recall.base.runs(name, &facts.key) {
            needed.extend(facts.dependencies.iter().cloned());
        }
        self.images.push(facts);
        Ok(())
    }

    /// Moves the images that are to be built from the known to the unread ones, if the query wants more than a
    /// plan shows.
    pub(crate) async fn look_up(mut self, clients: &Clients, query: &Query, base: &Base) -> Result<Self> {
        if query.scope().detail == Detail::Plan {
            return Ok(self);
        }
        // A local build builds the working tree, of which the memory knows nothing.
        if let Query::Release { .. } = query {
            hits::look_up(clients, query, base, &mut self.images, &self.missed).await?;
        }
        let is_there = |image: &ImageFacts| image.cached || base.runs(&image.name, &image.key);
        let (images, missed) = self.images.into_iter().partition(is_there);
        self.images = images;
        for image in missed {
            self.missed.insert(image.name.clone(), image.key);
            self.unread.insert(image.name);
        }
        Ok(self)
    }
}

impl Recall<'_, '_> {
    /// The facts of an image that a plan is decided from, if the memory has all of them.
    fn facts(&self, name: &ImageName, released: bool) -> Result<Option<ImageFacts>> {
        let Some(image) = self.workspace.config.images.get(name) else { return Ok(None) };
        let Some(known) = self.memory.recall(name)? else { return Ok(None) };
        let (fields, changes) = match self.base.running(name) {
            // An image with an unchanged key has no causes.
            Some(running) if running.key == known.answer.key && running.fields.is_recorded() => {
                (running.fields.clone(), Vec::new())
            }
            // A missing base is fetched only for an image that was read, and whose inputs turn out to differ.
            Some(_) if self.diff.lacks_base() || self.base.older.contains_key(name) => return Ok(None),
            _ => {
                let Some(fields) = self.memory.fields(&known.answer.key) else { return Ok(None) };
                let Some(changes) = self.memory.changed(image, &known, self.diff.paths()) else {
                    return Ok(None);
                };
                (fields, changes)
            }
        };
        Ok(Some(ImageFacts {
            name: name.clone(),
            repository: image.repository.clone(),
            dockerfile: image.dockerfile.to_string(),
            key: known.answer.key,
            fields,
            dependencies: known.answer.dependencies,
            notes: known.answer.notes,
            // Nothing is remembered of an image of whose base images too little is known.
            unknown_triggers: Vec::new(),
            lost: Vec::new(),
            changes,
            unnamed: self.diff.unnamed(),
            // The memory has no image with unpinned remote content.
            stale: Vec::new(),
            cached: false,
            digest: None,
            released,
        }))
    }
}
