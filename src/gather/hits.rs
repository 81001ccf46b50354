//! Cache hits: the keys that the registry's tags have for a release, or the engine's store for a local build.
//! Start with [`look_up`].

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::ImageKey;
use futures_util::future::try_join_all;

use crate::clients::Clients;
use crate::config::ImageName;
use crate::engine::Engine as _;
use crate::error::Result;
use crate::plan::ImageFacts;
use crate::reference::LOCAL_TAG;

use super::base::Base;
use super::query::Query;

/// Marks the images whose key the cache has. An image whose key is not known is not asked for. What the environment runs is not asked for, nor what is known already: that
/// the cache has it, or that it has not this key (`missed`).
///
/// Images that the environment runs are not looked up, nor images that are known to be in the cache, nor images
/// whose present key is known to be missing (`missed`).
pub(crate) async fn look_up(
    clients: &Clients,
    query: &Query,
    base: &Base,
    images: &mut [ImageFacts],
    missed: &BTreeMap<ImageName, ImageKey>,
) -> Result<BTreeSet<ImageName>> {
    // An image with unpinned content may run as an older build of the same key: the look-up tells.
    let runs = |image: &ImageFacts| image.stale.is_empty() && base.runs(&image.name, &image.key);
    let only = query.scope().only.as_ref();
    let wanted = |image: &&mut ImageFacts| {
        let known = image.cached || missed.get(&image.name) == Some(&image.key);
        !known
            && image.lost.is_empty()
            && !query.scope().force
            && !runs(image)
            && (!image.released || only.is_none_or(|only| only.contains(&image.name)))
    };
    let mut asked: Vec<&mut ImageFacts> = images.iter_mut().filter(wanted).collect();
    let mut named = BTreeSet::new();
    if asked.is_empty() || clients.is_offline() || matches!(query, Query::Compare(_)) {
        return Ok(named);
    }
    let references: Vec<_> = asked.iter().map(|image| image.repository.keyed(&image.key)).collect();
    if let Query::Release { .. } = query {
        let digests = clients.registry()?.digests(&references).await?;
        for (image, digest) in asked.iter_mut().zip(digests) {
            image.cached = digest.is_some();
            image.digest = digest;
        }
        return Ok(named);
    }
    let engine = clients.engine().await?;
    let held = try_join_all(references.iter().map(|reference| engine.names(reference))).await?;
    for (image, names) in asked.iter_mut().zip(held) {
        image.cached = names.is_some();
        // A name in another spelling is not recognised; the image is then only tagged once more.
        let local = image.repository.tagged(LOCAL_TAG)?.to_string();
        if names.is_some_and(|names| names.contains(&local)) {
            named.insert(image.name.clone());
        }
    }
    Ok(named)
}
