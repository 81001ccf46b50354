//! What a plan is decided from: everything that was gathered, as values. Start with [`Facts`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dtbuild_content::key::{ImageKey, SharedFields};
use serde::Serialize;

use super::{Base, Head, Reason, Unnamed};
use crate::changed::ChangedPath;
use crate::config::{EnvironmentName, ImageName};
use crate::reference::{Digest, Repository};

/// What is known before deciding.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where the release is to go; none for a local build.
    pub environment: Option<EnvironmentName>,
    /// The commit that the head is compared with.
    pub base: Base,
    /// What is built.
    pub head: Head,
    /// The images in question and those that they are built from, each after what it needs.
    pub images: Vec<ImageFacts>,
    /// What the environment runs; none when nothing was deployed.
    pub current: Option<Deployed>,
    /// The images that the environment runs, and that are no part of the release any more.
    pub removed: Vec<ImageName>,
    /// Whether the last deployment failed, so that what the environment runs is not sure.
    pub last_failed: bool,
    /// The digest of what the deployment itself reads.
    pub deploy_inputs: Option<String>,
    /// The changed paths among what the deployment itself reads.
    pub deploy_changes: Vec<ChangedPath>,
    /// The remarks that belong to no image.
    pub notes: Vec<String>,
    /// What was asked for.
    pub request: Request,
}

/// What is known of an image.
#[derive(Clone, Debug)]
pub struct ImageFacts {
    /// Which image.
    pub name: ImageName,
    /// Where it lives.
    pub repository: Repository,
    /// Its Dockerfile, as the user knows it.
    pub dockerfile: String,
    /// Its content key.
    pub key: ImageKey,
    /// What the key was taken from.
    pub fields: SharedFields,
    /// The images that it is built from.
    pub dependencies: BTreeSet<ImageName>,
    /// What its author should know, such as inputs that are not known exactly.
    pub notes: Vec<String>,
    /// Those of `notes` that tell of ONBUILD instructions that are not known.
    pub unknown_triggers: Vec<String>,
    /// The base images that cannot be had, those of the images that this one is built from included:
    /// [`Reason::BaseUnknown`] for each. Where there is one, the key is not known, and `key` and `fields` mean nothing.
    pub lost: Vec<Reason>,
    /// The changed paths among its inputs.
    pub changes: Vec<ChangedPath>,
    /// Why no changed path is named, where its inputs changed and none is.
    pub unnamed: Unnamed,
    /// What it fetches that nothing fixes: [`Reason::StaleRemote`] for each.
    pub stale: Vec<Reason>,
    /// Whether the cache has the key.
    pub cached: bool,
    /// The digest that the cache has for the key; an engine's own store tells none.
    pub digest: Option<Digest>,
    /// Whether the image is asked for itself, or only because another is built from it.
    pub released: bool,
}

/// A release that an environment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The digest of what the deployment itself read.
    pub deploy_inputs: Option<String>,
    /// The images by name.
    pub images: BTreeMap<ImageName, DeployedImage>,
}

/// An image that an environment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployedImage {
    /// Its content key.
    pub key: ImageKey,
    /// What the key was taken from.
    pub fields: SharedFields,
    /// Its digest at the registry; none where only keys are compared.
    pub digest: Option<Digest>,
    /// The name under which it runs, where that is not the image's own: nothing of the new name is at the registry.
    pub renamed_from: Option<ImageName>,
}

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The images to look at; all when none are named.
    pub only: Option<BTreeSet<ImageName>>,
    /// Whether to build what the cache has.
    pub force: bool,
    /// The deployment that is asked for.
    pub deploying: Deploying,
}

/// The deployment that the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deploying {
    /// A deployment if the environment does not run all of the release already.
    #[default]
    AsPlanned,
    /// A deployment of what was built before, also if the environment runs all of it already.
    Anyway,
    /// None, whatever is decided.
    No(NoDeploy),
}

/// Why nothing is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDeploy {
    /// The build is a local one.
    LocalBuild,
    /// `--no-push` was given.
    NoPush,
    /// `--no-deploy` was given.
    NoDeploy,
    /// Two states of the files are compared: nothing is done.
    Comparison,
    /// The environment runs all of the release already.
    Unchanged,
    /// An image of the release cannot be decided.
    Undecided,
}

impl fmt::Display for NoDeploy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LocalBuild => "a local build is not deployed",
            Self::NoPush => "`--no-push` was given",
            Self::NoDeploy => "`--no-deploy` was given",
            Self::Comparison => "two states of the files are compared",
            Self::Unchanged => "the environment runs all of this already",
            Self::Undecided => "an image is unknown",
        })
    }
}

impl Serialize for NoDeploy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Request {
    /// Whether two states of the files are compared, and nothing is done.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.deploying == Deploying::No(NoDeploy::Comparison)
    }

    /// Whether `image` is to be looked at.
    #[must_use]
    pub fn includes(&self, image: &ImageName) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(image))
    }
}
