//! The base: the release that the environment runs, from its record. Start with [`Base`].

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::{ImageKey, SharedFields};

use crate::config::{Config, ImageName};
use crate::git::CommitId;
use crate::plan::{Absence, Deployed, DeployedImage, Facts, ImageFacts};
use crate::record::{self, Deployment, Record};
use crate::workspace::Workspace;

use super::query::Query;

/// The release that the environment runs, or the state that a comparison starts from; made once, before any
/// key.
#[derive(Default)]
pub struct Base {
    /// The commit that was deployed; none where nothing was, or the record names no commit.
    pub(crate) commit: Option<CommitId>,
    /// The images that run, by name; none where nothing was deployed.
    pub(crate) current: Option<Deployed>,
    /// The commits of the images that run from an older commit than `commit`: later deployments left these
    /// images as they were.
    pub(crate) older: BTreeMap<ImageName, CommitId>,
    /// True if the last deployment left the environment in an unsure state.
    pub(crate) last_failed: bool,
}

impl Base {
    /// The base of the environment that has this record.
    #[must_use]
    pub fn of(record: &Record, config: &Config) -> Self {
        let deployed = record.current();
        let commit = deployed.and_then(|deployment| deployment.commit.as_deref()?.parse().ok());
        let running = deployed.iter().flat_map(|deployment| &deployment.images);
        let older =
            running.filter_map(|(name, image)| Some((name.clone(), image.commit.as_deref()?.parse().ok()?)));
        Self {
            commit,
            older: older.filter(|(_, older)| Some(*older) != commit).collect(),
            current: deployed.map(|deployment| images(deployment, config)),
            last_failed: record.is_unsure(),
        }
    }

    /// The base, with those of its images that the registry does not have any more.
    #[must_use]
    pub(crate) fn without(mut self, vanished: &BTreeSet<ImageName>) -> Self {
        let images = self.current.iter_mut().flat_map(|current| &mut current.images);
        for (_, image) in images.filter(|(name, _)| vanished.contains(*name)) {
            image.absent = Some(Absence::Vanished);
        }
        self
    }

    /// The base of a comparison: the commit itself, with the keys of its images.
    pub(super) fn of_commit(commit: CommitId, facts: &Facts, config: &Config) -> Self {
        let image = |image: &ImageFacts| {
            let (key, fields) = (image.key, image.fields.clone());
            (image.name.clone(), DeployedImage { key, fields, digest: None, absent: None })
        };
        let images = renamed(facts.images.iter().map(image).collect(), config);
        let current = Some(Deployed { deploy_inputs: None, deploy_settings: None, images });
        Self { commit: Some(commit), current, ..Self::default() }
    }

    /// The images that run, but that the query's release, or the newer end of a comparison, does not have any
    /// more.
    pub(super) fn removed(&self, workspace: &Workspace, query: &Query) -> Vec<ImageName> {
        let is_left = |name: &&ImageName| match query {
            Query::Local(_) => true,
            Query::Compare(_) => workspace.config.images.contains_key(*name),
            Query::Release { scope, .. } => scope.images.contains(*name),
        };
        let running = self.current.iter().flat_map(|current| current.images.keys());
        running.filter(|name| !is_left(name)).cloned().collect()
    }

    /// The image that the environment runs under this name.
    pub(super) fn running(&self, image: &ImageName) -> Option<&DeployedImage> {
        self.current.as_ref()?.images.get(image)
    }

    /// True if the environment runs an image with exactly this key, under this name.
    pub(super) fn runs(&self, image: &ImageName, key: &ImageKey) -> bool {
        self.running(image).is_some_and(|running| running.key == *key && running.absent.is_none())
    }
}

/// The images of a deployment. The record has the key fields of the newest deployments alone: of the others, no
/// cause of a rebuild can be named.
fn images(deployment: &Deployment, config: &Config) -> Deployed {
    let image = |name: &ImageName, image: &record::DeployedImage| {
        let digest = image.reference.digest()?.clone();
        let fields = image.fields.clone().unwrap_or_else(SharedFields::unknown);
        let from = image.reference.repository();
        let moved = config.images.get(name).is_some_and(|declared| declared.repository != *from);
        let absent = moved.then(|| Absence::Moved { from: from.clone() });
        Some(DeployedImage { key: image.key, fields, digest: Some(digest), absent })
    };
    let images =
        deployment.images.iter().filter_map(|(name, running)| Some((name.clone(), image(name, running)?)));
    Deployed {
        deploy_inputs: deployment.deploy_inputs.clone(),
        deploy_settings: deployment.deploy_settings.clone(),
        images: renamed(images.collect(), config),
    }
}

/// The images by their present names: an image named in `renamed-from` is listed under its new name.
fn renamed(
    mut images: BTreeMap<ImageName, DeployedImage>,
    config: &Config,
) -> BTreeMap<ImageName, DeployedImage> {
    for renamed in config.images.values() {
        let Some(from) = &renamed.renamed_from else { continue };
        if images.contains_key(&renamed.name) {
            continue;
        }
        if let Some(running) = images.remove(from) {
            let running = DeployedImage { absent: Some(Absence::Renamed { from: from.clone() }), ..running };
            images.insert(renamed.name.clone(), running);
        }
    }
    images
}
