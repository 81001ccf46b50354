//! The step that moves the environment's tags, or sets those of the commit.

use futures_util::future::try_join_all;

use super::{Digests, ReleaseRun};
use crate::error::{Code, Error, Result};
use crate::events::Event;

impl ReleaseRun<'_> {
    /// Moves the environment's tag to every image of the release; sets it where each commit has a tag of its own.
    pub(super) async fn move_tags(&self, digests: &Digests) -> Result<()> {
        let tag = &self.tag()?;
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

    fn tag(&self) -> Result<String> {
        let tag = &self.environment.tag;
        if let Some(moved) = tag.moved() {
            return Ok(moved.to_owned());
        }
        let commit = self.plan.head.commit().ok_or_else(|| {
            let message = format!("the tag `{}` needs a commit, and this release has none", tag.as_str());
            Error::new(Code::Usage, message).hint("commit first")
        })?;
        Ok(tag.of_commit(commit))
    }
}
