//! The step that moves the environment's tags, or sets those of the commit.

use futures_util::future::try_join_all;

use super::Act;
use crate::deploy::Release;
use crate::error::{Code, Error, Result};
use crate::events::Event;

impl Act<'_> {
    /// Moves the environment's tag to every image of the release; sets it where each commit has a tag of its own.
    pub(in crate::release) async fn move_tags(&self, release: &Release) -> Result<()> {
        let tag = &self.tag(release)?;
        try_join_all(release.images.iter().map(|(image, pinned)| async move {
            let digest = self.registry.move_tag(pinned, tag).await?;
            let reference = pinned.repository().tagged(tag)?;
            self.observer.events.send(Event::TagMoved { image: image.clone(), reference, digest });
            Ok::<_, Error>(())
        }))
        .await?;
        Ok(())
    }

    fn tag(&self, release: &Release) -> Result<String> {
        let tag = &self.environment.tag;
        if let Some(moved) = tag.moved() {
            return Ok(moved.to_owned());
        }
        let commit = release.commit.as_deref().ok_or_else(|| {
            let message = format!("the tag `{}` needs a commit, and this release has none", tag.as_str());
            Error::new(Code::Usage, message).hint("commit first")
        })?;
        Ok(tag.of_commit(commit))
    }
}
