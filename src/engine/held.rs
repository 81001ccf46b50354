//! An image of an engine's store, as the store describes it. Start with [`HeldImage`].

use crate::reference::Digest;

/// What an engine tells of an image that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldImage {
    /// The id by which the engine itself knows the image.
    pub(crate) id: Digest,
    /// The image's names by digest, such as `debian@sha256:...`: where it was pulled from or pushed to.
    pub(crate) repo_digests: Vec<String>,
    /// The platform, such as `linux/amd64`.
    pub(crate) platform: String,
    /// The variables that the image sets, each as `NAME=value`.
    pub(crate) env: Vec<String>,
    /// The ONBUILD instructions of the image.
    pub(crate) onbuild: Vec<String>,
}
