//! What images tell of the builds that stand on them: their variables and ONBUILD instructions.
//! Start with [`BaseConfig`].

use std::collections::BTreeMap;

use serde::Serialize;

/// An image, for one platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PlatformImage {
    /// Its name in the Dockerfile, expanded; of a dependency, the image's name.
    pub name: String,
    /// The platform in its normal form, such as `linux/amd64`.
    pub platform: String,
}

/// What an image's configuration tells of the builds that stand on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseConfig {
    /// The variables that it sets; none for a value that cannot be told.
    pub env: BTreeMap<String, Option<String>>,
    /// What it may set besides.
    pub rest: Rest,
    /// The instructions that it has replayed.
    pub onbuild: Vec<String>,
}

/// The variables that an image may set besides those that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// None.
    #[default]
    Nothing,
    /// Those of an image from elsewhere, which were not asked for yet.
    Of(PlatformImage),
    /// It cannot be told.
    Anything,
}

/// Configurations by image.
pub type Configs = BTreeMap<PlatformImage, BaseConfig>;
