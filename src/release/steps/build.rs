//! The step that builds and pushes the images of the plan.

use super::{Digests, ReleaseRun};
use crate::config::ImageName;
use crate::error::Result;

impl ReleaseRun<'_> {
    /// The digests of the release: of images that exist already, and of images that this step builds and
    /// pushes.
    pub(super) async fn build(&self) -> Result<Digests> {
        let images = &self.plan.images;
        let known = images.iter().filter_map(|image| Some((image.name.clone(), image.digest.clone()?)));
        let mut digests: Digests = known.collect();
        digests.extend(self.builds.run(self.plan, self.act.observer).await?);
        let released = images.iter().filter(|image| image.released);
        let names: Vec<&ImageName> = released.map(|image| &image.name).collect();
        digests.retain(|name, _| names.contains(&name));
        Ok(digests)
    }
}
