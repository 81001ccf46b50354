//! The step that checks, before a tag moves, that the registry serves the images that were pushed.

use super::{Digests, ReleaseRun};
use crate::error::{Code, Error, Result};
use crate::plan::PlannedImage;

impl ReleaseRun<'_> {
    /// Checks that the registry serves every pushed image under its key and digest, before any tag moves: all
    /// or nothing.
    pub(super) async fn check(&self, digests: &Digests) -> Result<()> {
        let built: Vec<&PlannedImage> = self.plan.builds().filter(|image| image.released).collect();
        let references: Vec<_> = built.iter().map(|image| image.key_reference()).collect();
        let served = self.registry.digests(&references).await?;
        for ((image, reference), served) in built.iter().zip(&references).zip(served) {
            if served.as_ref() != digests.get(&image.name) {
                let served = served.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
                let message =
                    format!("the registry serves {served} under `{reference}`, not what was pushed");
                return Err(Error::new(Code::RegistryMismatch, message)
                    .hint("no tag was moved; does something else push the same image? run dtbuild again"));
            }
        }
        Ok(())
    }
}
