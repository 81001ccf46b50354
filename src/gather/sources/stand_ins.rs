//! Who tells the digest of a base image where no registry does. Start with [`StandIn`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::OffsetDateTime;

use crate::clients::Clients;
use crate::dockerfile::familiar;
use crate::engine::HeldImage;
use crate::plan::Deployed;
use crate::platform;
use crate::reference::Digest;
use crate::registry::configuration::{BaseImage, ImageConfig};

/// Who told a digest that neither `build.lock` nor a registry told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIn {
    /// The images that the environment runs were keyed with it.
    Record,
    /// This machine was told it by a registry at this time.
    Memory(OffsetDateTime),
    /// The engine has the image, and it is the registry's.
    Engine,
    /// The engine has the image, and no registry is known to: the digest is the engine's id.
    EngineAlone,
}

/// Such as `from this machine's memory of 2026-11-30`.
impl fmt::Display for StandIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => formatter.write_str("which the environment's record has"),
            Self::Memory(at) => write!(formatter, "from this machine's memory of {}", at.date()),
            Self::Engine => formatter.write_str("from the engine's own images"),
            Self::EngineAlone => formatter.write_str("which the engine alone has"),
        }
    }
}

/// The digests that the images of an environment were keyed with. A name for which they do not agree is left out.
pub(super) fn recorded(current: Option<&Deployed>) -> BTreeMap<String, Digest> {
    let images = current.into_iter().flat_map(|current| current.images.values());
    let mut told: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
    for fields in images.filter_map(|image| image.fields.read()) {
        for (name, digest) in &fields.bases {
            // A base that was keyed by its name has an empty one.
            if let Ok(digest) = digest.parse() {
                told.entry(name.clone()).or_default().insert(digest);
            }
        }
    }
    let agreed = told.into_iter().filter(|(_, digests)| digests.len() == 1);
    agreed.filter_map(|(name, mut digests)| Some((name, digests.pop_first()?))).collect()
}

/// The images of the engine's own store, as far as they were asked for, by the names of base images.
#[derive(Default)]
pub(super) struct HeldImages(BTreeMap<String, Result<HeldImage, String>>);

impl HeldImages {
    /// The digest of the engine's image of this name; why there is none, in words.
    pub(super) async fn digest(
        &mut self,
        clients: &Clients,
        name: &str,
    ) -> Result<(Digest, StandIn), String> {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), ask(clients, name).await);
        }
        match self.0.get(name) {
            Some(Ok(image)) => Ok(digest_of(image, name)),
            Some(Err(why)) => Err(why.clone()),
            None => Err("the engine was not asked".to_owned()),
        }
    }

    /// The configuration of a base image, where an image that was asked for is the one.
    pub(super) fn config(&self, image: &BaseImage) -> Option<ImageConfig> {
        let held = self.0.get(&image.name)?.as_ref().ok()?;
        let is_it = digest_of(held, &image.name).0 == image.digest
            && platform::normal(&held.platform).as_deref() == Some(&image.platform);
        is_it.then(|| ImageConfig::new(held.env.clone(), held.onbuild.clone()))
    }
}

async fn ask(clients: &Clients, name: &str) -> Result<HeldImage, String> {
    let engine = clients.machine_engine().await.map_err(|error| error.message)?;
    let held = engine.held(name).await.map_err(|error| error.to_string())?;
    held.ok_or_else(|| "the engine does not have it".to_owned())
}

/// The digest that the name stands for at its registry, else the engine's id.
fn digest_of(image: &HeldImage, name: &str) -> (Digest, StandIn) {
    let (named, pinned) = match name.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (name, None),
    };
    let repository = match named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, _)) => repository,
        None => named,
    };
    let of_repository = image.repo_digests.iter().filter_map(|known| known.split_once('@'));
    let of_repository = of_repository.filter(|(known, _)| familiar(known) == familiar(repository));
    let mut digests = of_repository.map(|(_, digest)| digest);
    // A name that carries its digest has led to this very image.
    match digests.find(|digest| pinned.is_none_or(|pinned| pinned == *digest)).map(str::parse) {
        Some(Ok(digest)) => (digest, StandIn::Engine),
        _ => (image.id.clone(), StandIn::EngineAlone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(seed: u8) -> Digest {
        Digest::of_sha256([seed; 32])
    }

    #[test]
    fn an_image_of_the_engine_is_known_by_the_digest_of_its_registry_else_by_its_id() {
        let repo_digests = vec![format!("team/base@{}", digest(1)), format!("debian@{}", digest(2))];
        let (env, onbuild) = (vec!["PATH=/bin".to_owned(), "A=b".to_owned()], vec!["COPY a /".to_owned()]);
        let platform = "linux/amd64".to_owned();
        let held = HeldImage { id: digest(9), repo_digests, platform, env, onbuild };
        for (name, expected) in [
            ("debian:12", (digest(2), StandIn::Engine)),
            ("docker.io/library/debian", (digest(2), StandIn::Engine)),
            ("team/base", (digest(1), StandIn::Engine)),
            ("localhost:5000/debian:12", (digest(9), StandIn::EngineAlone)),
            (&format!("debian:12@{}", digest(2)), (digest(2), StandIn::Engine)),
        ] {
            assert_eq!(digest_of(&held, name), expected, "{name}");
        }
        let images = HeldImages([("debian:12".to_owned(), Ok(held))].into());
        let base = |seed, platform: &str| {
            let platform = platform.to_owned();
            BaseImage { name: "debian:12".to_owned(), digest: digest(seed), platform }
        };
        let config = images.config(&base(2, "linux/amd64")).unwrap();
        assert_eq!((config.env, config.onbuild.len()), ([("A".to_owned(), "b".to_owned())].into(), 1));
        assert_eq!(images.config(&base(2, "linux/arm64")), None, "of another platform");
        assert_eq!(images.config(&base(3, "linux/amd64")), None, "another image");
    }
}
