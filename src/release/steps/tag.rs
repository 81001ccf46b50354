//! The step that moves the environment's tags.

use futures_util::future::try_join_all;

use super::{Digests, ReleaseRun};
use crate::error::{Error, Result};
use crate::events::Event;

impl ReleaseRun<'_> {
    /// Moves the environment's tag to every image of the release.
    pub(super) async fn move_tags(&self, digests: &Digests) -> Result<()> {
        let tag = &self.environment.tag;
        let moves = self.plan.images.iter().filter_map(|image| Some((image, digests.get(&image.name)?)));
        try_join_all(moves.map(|(image, digest)| async move {
            let digest = self.registry.move_tag(&image.repository.pinned(digest), tag).await?;
            let reference = image.repository.tagged(tag)?;
            self.observer.events.send(Event::TagMoved { image: image.name.clone(), reference, digest });
            Ok::<_, Error>(())
        }))
        .await?;
        Ok(())
    }
}
