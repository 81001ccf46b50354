//! The step that checks, before a tag moves, that the registry serves the images of the release.

use super::{Digests, ReleaseRun};
use crate::error::{Code, Error, Result};
use crate::plan::Decision;

impl ReleaseRun<'_> {
    /// Checks that the registry serves every image of the release, what was pushed under its key and digest, the
    /// others by their digests, before any tag moves: all or nothing.
    pub(super) async fn check(&self, digests: &Digests) -> Result<()> {
        let released = self.plan.images.iter().filter_map(|image| {
            let digest = digests.get(&image.name)?;
            let is_built = image.decision == Decision::Build;
            Some((if is_built { image.key_reference() } else { image.repository.pinned(digest) }, digest))
        });
        let (references, expected): (Vec<_>, Vec<_>) = released.unzip();
        let served = self.act.registry.digests(&references).await?;
        for ((reference, expected), served) in references.iter().zip(expected).zip(served) {
            if served.as_ref() != Some(expected) {
                let served = served.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
                let message = format!("the registry serves {served} under `{reference}`, not {expected}");
                return Err(Error::new(Code::RegistryMismatch, message).hint(
                    "no tag was moved; does something else push or remove the same image? run dtbuild again",
                ));
            }
        }
        Ok(())
    }
}
