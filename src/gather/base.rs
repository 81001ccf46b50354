//! The base: the release that the environment runs, from its record. Start with [`Base`].

use dtbuild_content::key::ImageKey;

use crate::config::ImageName;
use crate::git::CommitId;
use crate::plan::{Deployed, DeployedImage, Facts, ImageFacts};
use crate::record::{self, Deployment, Record};

/// What the environment runs, or the state that is compared with; made once, before any key.
#[derive(Default)]
pub struct Base {
    /// The commit that was deployed.
    pub(crate) commit: Option<CommitId>,
    /// The images that run.
    pub(crate) current: Option<Deployed>,
    /// Whether the last deployment left the environment in an unsure state.
    pub(crate) last_failed: bool,
}

impl Base {
    /// The base of an environment with this record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let deployed = record.current();
        Self {
            commit: deployed.and_then(|deployment| deployment.commit.as_deref()?.parse().ok()),
            current: deployed.map(images),
            last_failed: record.is_unsure(),
        }
    }

    /// The base that is a commit itself, with the keys that its images have.
    pub(super) fn of_commit(commit: CommitId, facts: &Facts) -> Self {
        let image = |image: &ImageFacts| {
            let keyed = DeployedImage { key: image.key, fields: image.fields.clone(), digest: None };
            (image.name.clone(), keyed)
        };
        let images = facts.images.iter().map(image).collect();
        let current = Some(Deployed { deploy_inputs: None, images });
        Self { commit: Some(commit), current, last_failed: false }
    }

    /// The image that the environment runs under this name.
    pub(super) fn running(&self, image: &ImageName) -> Option<&DeployedImage> {
        self.current.as_ref()?.images.get(image)
    }

    /// Whether the environment runs an image with this very key.
    pub(super) fn runs(&self, image: &ImageName, key: &ImageKey) -> bool {
        self.running(image).is_some_and(|running| running.key == *key)
    }
}

/// The images of a deployment. One whose key's fields were not kept counts as not deployed: that costs a look-up and an
/// explanation.
fn images(deployment: &Deployment) -> Deployed {
    let image = |image: &record::DeployedImage| {
        let digest = image.reference.digest()?.clone();
        Some(DeployedImage { key: image.key, fields: image.fields.clone()?, digest: Some(digest) })
    };
    let images = deployment.images.iter().filter_map(|(name, running)| Some((name.clone(), image(running)?)));
    Deployed { deploy_inputs: deployment.deploy_inputs.clone(), images: images.collect() }
}
