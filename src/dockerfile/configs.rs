//! Configurations of images, as far as builds that stand on the images depend on them: variables and ONBUILD
//! instructions. Start with [`BaseConfig`].

use std::collections::BTreeMap;

use serde::Serialize;

/// An image, for one platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PlatformImage {
    /// The image's name in the Dockerfile, expanded; for a dependency, the image's own name.
    pub name: String,
    /// The platform in its normal form, such as `linux/amd64`.
    pub platform: String,
}

/// The part of an image's configuration that builds which stand on the image depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseConfig {
    /// The variables that the image sets, by name; none for a value that cannot be told.
    pub env: BTreeMap<String, Option<String>>,
    /// The variables that the image may set besides.
    pub rest: Rest,
    /// The ONBUILD instructions of the image, which the builds replay.
    pub onbuild: Vec<String>,
}

/// The variables that an image may set besides those that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// No variables.
    #[default]
    Nothing,
    /// The variables of an image from elsewhere, whose configuration was not asked for yet.
    Of(PlatformImage),
    /// Any variables: they cannot be told.
    Anything,
}

/// Configurations by image.
pub type Configs = BTreeMap<PlatformImage, BaseConfig>;
