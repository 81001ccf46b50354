//! Why an image is built, reused or kept.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::changed::ChangedPath;
use crate::config::ImageName;

/// Why no changed path can be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unnamed {
    /// The commit that was deployed is not in this clone, or not known.
    #[default]
    BaseMissing,
    /// The image is built from the disk, of which the base has no copy.
    Disk,
    /// No path among the inputs changed since the base: others count, or the base is not what runs.
    OtherInputs,
}

/// A base image of which something is not known that an image's key depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LostBase {
    /// The Dockerfile; that of an image that this one is built from, where it stands there.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The base image, as the Dockerfile names it.
    pub name: String,
    /// The attempts to find it out, each with how it ended.
    pub tried: Vec<String>,
}

/// Such as ``api/Dockerfile:1: the base image `debian:12` cannot be had: ...``.
impl fmt::Display for LostBase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, name, tried } = self;
        write!(formatter, "{file}:{line}: the base image `{name}` cannot be had: {}", tried.join("; "))
    }
}

/// One cause of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// An input changed.
    PathChanged(ChangedPath),
    /// The Dockerfile changed.
    DockerfileChanged {
        /// Its path.
        path: String,
    },
    /// The target stage, the platforms, the network mode or what is attested changed.
    SettingChanged {
        /// Which one, as `build.toml` names it.
        setting: String,
        /// What it was.
        old: String,
        /// What it is.
        new: String,
    },
    /// A build argument changed, came or went.
    ArgumentChanged {
        /// Its name.
        name: String,
        /// What it was.
        old: Option<String>,
        /// What it is.
        new: Option<String>,
    },
    /// A base image names another digest than before.
    BaseMoved {
        /// The base image.
        name: String,
        /// The digest it had.
        old: Option<String>,
        /// The digest it has.
        new: Option<String>,
    },
    /// A secret was declared, dropped or got another version.
    SecretChanged {
        /// Its id.
        id: String,
    },
    /// An image that this one is built from changed.
    DependencyChanged {
        /// That image.
        image: ImageName,
    },
    /// An instruction fetches from the network what nothing fixes: only a build can tell whether it is the same.
    StaleRemote {
        /// The Dockerfile; that of an image that this one is built from, where it stands there.
        file: String,
        /// The line.
        line: usize,
        /// The address.
        url: String,
    },
    /// A base image cannot be had, so the key is not known.
    BaseUnknown(LostBase),
    /// The inputs changed, and no path can be named.
    InputsChanged {
        /// Why none can.
        why: Unnamed,
    },
    /// dtbuild computes keys in another way than when this image was made.
    SchemaChanged,
    /// The environment runs nothing of this name yet.
    NotDeployed,
    /// The base declares no image of this name.
    NewImage,
    /// The base has another key: no cache was asked.
    KeyDiffers,
    /// The environment runs this image under the name that it had before (`renamed-from`).
    Renamed {
        /// That name.
        from: ImageName,
    },
    /// The key is not in the cache.
    NotInCache,
    /// The key is in the cache.
    InCache,
    /// The environment runs this very key.
    Unchanged,
    /// `--force` was given.
    Forced,
    /// `dtbuild deploy` was asked for, whatever runs.
    Requested,
    /// `--only` left it out: the environment keeps what it runs.
    LeftOut,
    /// What the deployment itself reads changed.
    DeployPathChanged(ChangedPath),
    /// What the deployment itself reads changed, but the paths are not known.
    DeployInputsChanged,
    /// The last deployment did not succeed.
    LastDeploymentFailed,
    /// An image of the release is not the one that the environment runs.
    ReleaseChanged {
        /// That image.
        image: ImageName,
    },
}
