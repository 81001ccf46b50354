//! The facts that a plan is decided from, as values. Start with [`Facts`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dtbuild_content::key::{ImageKey, SharedFields};
use serde::Serialize;

use super::{Base, Head, Reason, Unnamed};
use crate::changed::ChangedPath;
use crate::config::{EnvironmentName, ImageName};
use crate::reference::{Digest, Repository};

/// Everything that is known before a plan is decided.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The environment that the release goes to; none for a local build.
    pub environment: Option<EnvironmentName>,
    /// The commit that the head is compared with.
    pub base: Base,
    /// The commit or the files that images are built from.
    pub head: Head,
    /// The images of the query and the images that they are built from, each after the images that it needs.
    pub images: Vec<ImageFacts>,
    /// The release that the environment runs; none where nothing was deployed.
    pub current: Option<Deployed>,
    /// The images that the environment runs, but that are not part of the release any more.
    pub removed: Vec<ImageName>,
    /// True if the last deployment failed, so that it is not sure what the environment runs.
    pub last_failed: bool,
    /// The digest of the files that the deployment itself reads.
    pub deploy_inputs: Option<String>,
    /// The digest of the deployment's own settings: its trigger with all arguments, and the tag.
    pub deploy_settings: Option<String>,
    /// The changed paths among the files that the deployment itself reads.
    pub deploy_changes: Vec<ChangedPath>,
    /// The remarks that belong to no image.
    pub notes: Vec<String>,
    /// The user's request.
    pub request: Request,
}

/// Everything that is known about an image before a plan is decided.
#[derive(Clone, Debug)]
pub struct ImageFacts {
    /// The image's name.
    pub name: ImageName,
    /// The repository that the image is pushed to.
    pub repository: Repository,
    /// The path of the image's Dockerfile, as the user knows it.
    pub dockerfile: String,
    /// The image's content key.
    pub key: ImageKey,
    /// The fields that the key was computed from.
    pub fields: SharedFields,
    /// The images of `build.toml` that this image is built from.
    pub dependencies: BTreeSet<ImageName>,
    /// The remarks for the image's author, such as inputs that are not known exactly.
    pub notes: Vec<String>,
    /// Those of `notes` that tell of ONBUILD instructions that are not known.
    pub unknown_triggers: Vec<String>,
    /// The base images that cannot be had, those of the images that this one is built from included:
    /// [`Reason::BaseUnknown`] for each. Where there is one, the key is not known, and `key` and `fields` mean nothing.
    pub lost: Vec<Reason>,
    /// The changed paths among its inputs.
    pub changes: Vec<ChangedPath>,
    /// The reason why no changed path is named, for an image whose inputs changed without any.
    pub unnamed: Unnamed,
    /// The unpinned remote content of the image: a [`Reason::StaleRemote`] for each download.
    pub stale: Vec<Reason>,
    /// True if the cache has the key.
    pub cached: bool,
    /// The digest that the cache has for the key; an engine's own store has none.
    pub digest: Option<Digest>,
    /// True if the image itself is asked for; false if it is only needed to build another image.
    pub released: bool,
}

/// A release that an environment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The digest of the files that the deployment itself read.
    pub deploy_inputs: Option<String>,
    /// The digest of the deployment's own settings; none where an older record does not tell it.
    pub deploy_settings: Option<String>,
    /// The images of the release, by name.
    pub images: BTreeMap<ImageName, DeployedImage>,
}

/// An image that an environment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployedImage {
    /// The image's content key.
    pub key: ImageKey,
    /// The fields that the key was computed from.
    pub fields: SharedFields,
    /// The image's digest at the registry; none where only keys are compared.
    pub digest: Option<Digest>,
    /// The reason why the registry has nothing that could be kept under the image's present reference; none where it
    /// has.
    pub absent: Option<Absence>,
}

/// The reason why an image that runs cannot be kept, whatever its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The environment runs the image under this other name.
    Renamed {
        /// The name that the environment runs the image under.
        from: ImageName,
    },
    /// The environment runs the image from another repository.
    Moved {
        /// The repository that the environment runs the image from.
        from: Repository,
    },
    /// The registry does not have the image any more.
    Vanished,
}

/// The wishes of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The images to look at; all images where none are named.
    pub only: Option<BTreeSet<ImageName>>,
    /// True if images are built though the cache has them.
    pub force: bool,
    /// The deployment that the user asks for.
    pub deploying: Deploying,
}

/// The deployment that the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deploying {
    /// A deployment, if the environment does not run all of the release already.
    #[default]
    AsPlanned,
    /// A deployment of images that were built before, even if the environment runs all of them already.
    Anyway,
    /// No deployment, whatever is decided.
    No(NoDeploy),
}

/// The reason why nothing is deployed.
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
    /// The environment runs a newer commit.
    Superseded,
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
            Self::Superseded => "the environment runs a newer commit",
        })
    }
}

impl Serialize for NoDeploy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Request {
    /// True if two states of the files are compared, and nothing is done.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.deploying == Deploying::No(NoDeploy::Comparison)
    }

    /// True if `image` is to be looked at.
    #[must_use]
    pub fn includes(&self, image: &ImageName) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(image))
    }
}
