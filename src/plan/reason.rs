//! The reasons why an image is built, reused or kept. Start with [`Reason`].

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::changed::ChangedPath;
use crate::config::ImageName;
use crate::reference::Repository;

/// The reason why no changed path can be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unnamed {
    /// The commit that was deployed is not in this clone, or is not known.
    #[default]
    BaseMissing,
    /// The image is built from the disk, and the base has no copy of the disk.
    Disk,
    /// No path among the inputs changed since the base: other inputs count, or the base is not what runs.
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
        /// The Dockerfile's path.
        path: String,
    },
    /// The target stage, the platforms, the network mode, the attestations or a named context changed.
    SettingChanged {
        /// The setting's name in `build.toml`.
        setting: String,
        /// The old value.
        old: String,
        /// The new value.
        new: String,
    },
    /// A build argument changed, was added or was removed.
    ArgumentChanged {
        /// The argument's name.
        name: String,
        /// The old value; none for an argument that was added.
        old: Option<String>,
        /// The new value; none for an argument that was removed.
        new: Option<String>,
    },
    /// A base image has another digest than before.
    BaseMoved {
        /// The base image's name.
        name: String,
        /// The old digest.
        old: Option<String>,
        /// The new digest.
        new: Option<String>,
    },
    /// A secret was declared, was dropped or has another version.
    SecretChanged {
        /// The secret's id.
        id: String,
    },
    /// An image that this one is built from changed.
    DependencyChanged {
        /// The name of the image that changed.
        image: ImageName,
    },
    /// The image uses unpinned remote content: only a build can tell if the content is still the same.
    StaleRemote {
        /// The file that names the address: the Dockerfile, also of an image that this image is built from, or
        /// `build.toml`.
        file: String,
        /// The line of the address.
        line: usize,
        /// The address of the content.
        url: String,
    },
    /// A base image cannot be had, so the key is not known.
    BaseUnknown(LostBase),
    /// The inputs changed, and no path can be named.
    InputsChanged {
        /// The reason why no changed path can be named.
        why: Unnamed,
    },
    /// The key was computed in another way when this image was built.
    SchemaChanged,
    /// The environment runs no image of this name yet.
    NotDeployed,
    /// The base declares no image of this name.
    NewImage,
    /// The base has another key for the image; no cache was asked.
    KeyDiffers,
    /// The environment runs this image under the name that it had before (`renamed-from`).
    Renamed {
        /// The name that the environment runs the image under.
        from: ImageName,
    },
    /// The environment runs this image from another repository than `build.toml` names now.
    Moved {
        /// The repository that the environment runs the image from.
        from: Repository,
    },
    /// The environment runs this image, and the registry does not have it any more.
    Vanished,
    /// The key is not in the cache.
    NotInCache,
    /// The key is in the cache.
    InCache,
    /// The environment runs exactly this key.
    Unchanged,
    /// `--force` was given.
    Forced,
    /// The user ran `dtbuild deploy`, which deploys whatever runs.
    Requested,
    /// The image was left out by `--only`: the environment keeps the image that it runs.
    LeftOut,
    /// A file that the deployment itself reads changed.
    DeployPathChanged(ChangedPath),
    /// The files that the deployment itself reads changed, but the paths are not known.
    DeployInputsChanged,
    /// The deployment's own settings in `build.toml` changed: its trigger, an argument, the tag.
    DeploySettingsChanged,
    /// The last deployment did not succeed.
    LastDeploymentFailed,
    /// The environment does not run this image of the release, or runs an image that the release does not have.
    ReleaseChanged {
        /// The name of the image.
        image: ImageName,
    },
}
