//! The plan: the decision about each image, and its reasons. Start with [`Plan`]. Pure: values in, a plan out.
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
pub use facts::{Absence, Deployed, DeployedImage, Deploying, Facts, ImageFacts, NoDeploy, Request};
pub use reader::{Reader, Unread};
pub use reason::{LostBase, Reason, Unnamed};
pub use unknown::{Undecided, UnknownImage};

/// What a run is going to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment that the release goes to; none for a local build.
    pub environment: Option<EnvironmentName>,
    /// The commit that the environment runs, and whether the diff against that commit is known.
    pub base: Base,
    /// The commit or the files that images are built from.
    pub head: Head,
    /// The images of the plan, each after the images that it is built from.
    pub images: Vec<PlannedImage>,
    /// The images that cannot be decided; none of `images` is built from one of them.
    pub unknown: Vec<UnknownImage>,
    /// The images that the environment runs, and that are no part of the release any more.
    pub removed: Vec<ImageName>,
    /// The decision about the deployment, and its reasons.
    pub deploy: DeployDecision,
    /// The digest of the files that the deployment itself reads; recorded with the deployment.
    pub deploy_inputs: Option<String>,
    /// The digest of the deployment's own settings; recorded with the deployment.
    pub deploy_settings: Option<String>,
    /// What its reader should know, besides the notes of images.
    pub notes: Vec<String>,
}

/// The commit that the head is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Base {
    /// No commit: nothing was deployed yet, or nothing is compared with.
    None,
    /// A commit that the clone has: the diff is known.
    Known {
        /// The commit's id.
        commit: String,
    },
    /// A commit that this clone lacks: keys alone decide, and causes are not named.
    Missing {
        /// The commit's id.
        commit: String,
        /// The reason why the clone lacks the commit, such as a shallow clone.
        reason: String,
    },
}

/// The commit or the files that images are built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Head {
    /// A commit.
    Commit {
        /// The commit's id.
        id: String,
    },
    /// The files as they are on the disk.
    WorkingTree {
        /// The id of HEAD's commit; none in a repository without commits.
        commit: Option<String>,
    },
}

/// The decision about one image, and its reasons.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlannedImage {
    /// The image's name.
    pub name: ImageName,
    /// The decision about the image.
    pub decision: Decision,
    /// The reasons of the decision: the causes of a build, or the facts that make a build needless.
    pub reasons: Vec<Reason>,
    /// The remarks for the image's author, such as inputs that are not known exactly.
    pub notes: Vec<String>,
    /// Those of `notes` that tell of ONBUILD instructions that are not known.
    #[serde(skip)]
    pub unknown_triggers: Vec<String>,
    /// The content key.
    pub key: ImageKey,
    /// The fields that the key was computed from.
    pub fields: SharedFields,
    /// The repository that the image is pushed to.
    pub repository: Repository,
    /// The image's digest; none for an image that does not exist yet.
    pub digest: Option<Digest>,
    /// The images that this image is built from, of the images that this plan builds.
    pub dependencies: Vec<ImageName>,
    /// True if the image is part of the environment's release; false if it is only needed to build another
    /// image.
    pub released: bool,
}

/// The decision about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The image is built: its key is not in the cache.
    Build,
    /// The image is taken from the cache, which has its key.
    Reuse,
    /// The environment runs exactly this key.
    Keep,
}

/// The decision about the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum DeployDecision {
    /// The environment is deployed.
    Deploy {
        /// The causes of the deployment.
        reasons: Vec<Reason>,
    },
    /// The environment is not deployed: it runs all of the release already, or nobody asked for a deployment.
    Nothing {
        /// The reason why nothing is deployed.
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
    /// The reference of the image by its key: the cache's entry at the registry.
    #[must_use]
    pub fn key_reference(&self) -> Reference {
        self.repository.keyed(&self.key)
    }
}
