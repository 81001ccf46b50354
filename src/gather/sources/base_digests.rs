//! The digests of base images, as a plan's keys and builds take them. Start with [`BaseDigests`].

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::reference::{Digest, Reference, Repository};

/// The repository of names in an engine's store for base images that no registry has; none is ever pushed.
const HELD: &str = "dtbuild.local/base";

/// The digests that base images were hashed by.
#[derive(Debug, Default)]
pub(crate) struct BaseDigests {
    /// The digests by name. With `bases = "name"`, those that the lock does not name are left out.
    pub(crate) digests: BTreeMap<String, Digest>,
    /// The names whose digest is the id of an image that the engine alone has.
    pub(super) held: BTreeSet<String>,
}

impl BaseDigests {
    /// The name by which a build takes exactly the image that was hashed; none for a name that carries its digest, and
    /// for one of which nothing is known.
    pub(crate) fn pinned(&self, name: &str) -> Option<String> {
        let digest = self.digests.get(name).filter(|_| !name.contains('@'))?;
        Some(if self.held.contains(name) { held_name(digest) } else { format!("{name}@{digest}") })
    }

    /// The images that the engine alone has: the id of each, and the name that pins it in the engine's store.
    pub(crate) fn held(&self) -> Result<Vec<(Digest, Reference)>> {
        let repository: Repository = HELD.parse()?;
        let ids = self.held.iter().filter_map(|name| self.digests.get(name));
        ids.map(|id| Ok((id.clone(), repository.tagged(hex(id))?))).collect()
    }
}

fn held_name(id: &Digest) -> String {
    format!("{HELD}:{}", hex(id))
}

fn hex(digest: &Digest) -> &str {
    digest.as_str().trim_start_matches("sha256:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_the_engine_alone_has_is_pinned_by_a_name_of_its_own() {
        let digest: Digest = format!("sha256:{}", "0f".repeat(32)).parse().unwrap();
        let names = ["debian:12", "own:1"].map(|name| (name.to_owned(), digest.clone()));
        let bases = BaseDigests { digests: names.into(), held: ["own:1".to_owned()].into() };
        assert_eq!(bases.pinned("debian:12"), Some(format!("debian:12@{digest}")));
        let held = format!("dtbuild.local/base:{}", "0f".repeat(32));
        assert_eq!(bases.pinned("own:1").as_ref(), Some(&held));
        assert_eq!(bases.held().unwrap(), [(digest, held.parse().unwrap())]);
        assert_eq!(bases.pinned("alpine"), None);
    }
}
