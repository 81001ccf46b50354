//! The plan: what is done with each image, and why. Pure: values in, a [`Plan`] out.
//!
//! `--dry-run`, `explain`, the executor, the JSON output and the tests read the same [`Plan`].

use schemars::JsonSchema;
use serde::Serialize;

use dtbuild_content::key::{ImageKey, SharedFields};

use crate::config::{EnvironmentName, ImageName};
use crate::reference::{Digest, Reference, Repository};

mod cause;
mod decision;
pub mod facts;
pub mod graph;
pub mod reader;
pub mod reason;
#[cfg(test)]
mod tests;
pub mod unknown;

pub use decision::PlanError;
pub use facts::{Deployed, DeployedImage, Deploying, Facts, ImageFacts, NoDeploy, Request};
pub use reader::{Reader, Unread};
pub use reason::{LostBase, Reason, Unnamed};
pub use unknown::{Undecided, UnknownImage};

/// What a run is going to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the release is to go; none for a local build.
    pub environment: Option<EnvironmentName>,
    /// The commit that the environment runs, and whether the diff against it could be had.
    pub base: Base,
    /// What is built.
    pub head: Head,
    /// The images, each after those it is built from.
    pub images: Vec<PlannedImage>,
    /// The images that cannot be decided; none of `images` is built from one of them.
    pub unknown: Vec<UnknownImage>,
    /// The images that the environment runs, and that are no part of the release any more.
    pub removed: Vec<ImageName>,
    /// Whether the environment is to be deployed, and why.
    pub deploy: DeployDecision,
    /// The digest of what the deployment itself reads; recorded with it.
    pub deploy_inputs: Option<String>,
    /// What its reader should know, besides the notes of images.
    pub notes: Vec<String>,
}

/// The commit that the head is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Base {
    /// Nothing was deployed yet, or nothing is to be compared with.
    None,
    /// The diff could be had.
    Known {
        /// The commit's id.
        commit: String,
    },
    /// The commit is not in this clone: keys alone decide, causes are not named.
    Missing {
        /// The commit's id.
        commit: String,
        /// Why it is not there, such as a shallow clone.
        reason: String,
    },
}

/// What is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Head {
    /// A commit.
    Commit {
        /// Its id.
        id: String,
    },
    /// The files as they are on the disk.
    WorkingTree {
        /// The commit they started from; none in a repository without commits.
        commit: Option<String>,
    },
}

/// What is done with one image, and why.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlannedImage {
    /// Which image.
    pub name: ImageName,
    /// What is done.
    pub decision: Decision,
    /// Why: the causes of a build, or what makes one needless.
    pub reasons: Vec<Reason>,
    /// What its author should know, such as inputs that are not known exactly.
    pub notes: Vec<String>,
    /// Those of `notes` that tell of ONBUILD instructions that are not known.
    #[serde(skip)]
    pub unknown_triggers: Vec<String>,
    /// The content key.
    pub key: ImageKey,
    /// What the key was taken from.
    pub fields: SharedFields,
    /// Where the image lives.
    pub repository: Repository,
    /// The digest, when the image exists already.
    pub digest: Option<Digest>,
    /// The images that are built in this plan and that this one is built from.
    pub dependencies: Vec<ImageName>,
    /// Whether this image is part of the environment's release, or only needed to build one that is.
    pub released: bool,
}

/// What is done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Its key is not in the cache: it is built.
    Build,
    /// Its key is in the cache.
    Reuse,
    /// The environment runs this very key.
    Keep,
}

/// Whether the environment is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum DeployDecision {
    /// It is.
    Deploy {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// It is not: the environment runs all of this already, or nobody asked.
    Nothing {
        /// Why.
        #[schemars(with = "String")]
        reason: NoDeploy,
    },
}

impl Head {
    /// The commit's id; none for the working tree.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit { id } => Some(id),
            Self::WorkingTree { .. } => None,
        }
    }
}

impl PlannedImage {
    /// The name that the image has by its key: the cache's entry at the registry.
    #[must_use]
    pub fn key_reference(&self) -> Reference {
        self.repository.keyed(&self.key)
    }
}
