//! Images that need not be read: an earlier run found out all that is wanted of them. Start with [`Recalled::find`].

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::ImageKey;

use super::Remembered;
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::Result;
use crate::gather::comparison::Comparison;
use crate::gather::hits;
use crate::gather::query::{Query, Wanted};
use crate::plan::ImageFacts;
use crate::workspace::Workspace;

/// Which images have to be read, and what is known of the others.
#[derive(Default)]
pub(crate) struct Recalled {
    /// What is known of those that need not be read.
    pub(crate) images: Vec<ImageFacts>,
    /// Those that have to be read.
    pub(crate) unread: BTreeSet<ImageName>,
    /// Those among them of which it is known that the cache has not this key.
    pub(crate) missed: BTreeMap<ImageName, ImageKey>,
}

impl Recalled {
    /// What earlier runs found out about the images in question, and about those that they are built from where that is
    /// wanted as well.
    pub(crate) fn find(
        workspace: &Workspace,
        query: &Query,
        comparison: &Comparison,
        remembered: Option<&Remembered<'_>>,
    ) -> Result<Self> {
        let mut this = Self::default();
        let Some(remembered) = remembered else {
            return Ok(Self { unread: query.images.clone(), ..this });
        };
        let mut needed = BTreeSet::new();
        this.images.reserve_exact(query.images.len());
        for image in &query.images {
            this.add(workspace, comparison, remembered, (image, true), &mut needed)?;
        }
        let mut seen = query.images.clone();
        while let Some(image) = needed.pop_first() {
            if seen.insert(image.clone()) {
                this.add(workspace, comparison, remembered, (&image, false), &mut needed)?;
            }
        }
        Ok(this)
    }

    /// Adds an image to those that are known, or to those that have to be read.
    fn add(
        &mut self,
        workspace: &Workspace,
        comparison: &Comparison,
        remembered: &Remembered<'_>,
        (name, released): (&ImageName, bool),
        needed: &mut BTreeSet<ImageName>,
    ) -> Result<()> {
        let Some(facts) = facts(workspace, comparison, remembered, (name, released))? else {
            self.unread.insert(name.clone());
            return Ok(());
        };
        if !comparison.runs(name, &facts.key) {
            needed.extend(facts.dependencies.iter().cloned());
        }
        self.images.push(facts);
        Ok(())
    }

    /// Leaves those to be read that are to be built, if more is wanted of them than what a plan says.
    pub(crate) fn look_up(
        mut self,
        clients: &Clients,
        query: &Query,
        comparison: &Comparison,
    ) -> Result<Self> {
        if query.wanted == Wanted::Plan {
            return Ok(self);
        }
        // Who builds for this machine alone has the working tree built, of which nothing is remembered.
        if query.environment.is_some() {
            hits::look_up(clients, query, comparison, &mut self.images, &self.missed)?;
        }
        let is_there = |image: &ImageFacts| image.cached || comparison.runs(&image.name, &image.key);
        let (images, missed) = self.images.into_iter().partition(is_there);
        self.images = images;
        for image in missed {
            self.missed.insert(image.name.clone(), image.key);
            self.unread.insert(image.name);
        }
        Ok(self)
    }
}

/// All that a plan is decided from, if earlier runs found it out.
fn facts(
    workspace: &Workspace,
    comparison: &Comparison,
    remembered: &Remembered<'_>,
    (name, released): (&ImageName, bool),
) -> Result<Option<ImageFacts>> {
    let Some(image) = workspace.config.images.get(name) else { return Ok(None) };
    let Some(known) = remembered.recall(name)? else { return Ok(None) };
    let (fields, changes) = match comparison.running(name) {
        // There is no cause to tell.
        Some(running) if running.key == known.answer.key => (running.fields.clone(), Vec::new()),
        // The base is fetched only where what is read shows that its paths are to be named.
        Some(_) if comparison.lacks_base() => return Ok(None),
        _ => {
            let Some(fields) = remembered.fields(&known.answer.key) else { return Ok(None) };
            let Some(changes) = remembered.changed(image, &known, &comparison.changes) else {
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
        changes,
        // Nothing is remembered of what fetches what nothing fixes.
        stale: Vec::new(),
        cached: false,
        digest: None,
        released,
    }))
}
