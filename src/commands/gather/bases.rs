//! The digests of base images: from `build.lock`, else from the registries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::future::try_join_all;

use crate::commands::edges::Edges;
use crate::config::{BasePolicy, Config, Lock};
use crate::error::{Error, Result};
use crate::reference::Digest;
use crate::registry::base::BaseCache;

/// The digests of `names`. With `bases = "name"`, those that the lock does not name are left out.
pub(crate) fn resolve(
    edges: &Edges,
    config: &Config,
    lock: &Lock,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Digest>> {
    let mut digests = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for name in names {
        match (lock.bases.get(name), name.split_once('@')) {
            (Some(digest), _) => drop(digests.insert(name.clone(), digest.clone())),
            (None, Some((_, digest))) => drop(digests.insert(name.clone(), digest.parse()?)),
            (None, None) if config.bases == BasePolicy::Resolve => drop(unknown.insert(name.clone())),
            (None, None) => {}
        }
    }
    if !unknown.is_empty() {
        digests.extend(ask(edges, &unknown)?);
    }
    Ok(digests)
}

/// The digests that the registries serve now, whatever was answered before.
pub(crate) fn resolve_anew(edges: &Edges, names: &BTreeSet<String>) -> Result<BTreeMap<String, Digest>> {
    let mirrors = edges.mirrors();
    let registry = edges.registry()?;
    edges.block_on(async {
        let asked = names.iter().map(|name| async {
            Ok::<_, Error>((name.clone(), registry.resolve_base(name, &mirrors).await?))
        });
        Ok(try_join_all(asked).await?.into_iter().collect())
    })
}

/// The digests that the registries serve: the last hour's answers, else asked in parallel.
fn ask(edges: &Edges, names: &BTreeSet<String>) -> Result<BTreeMap<String, Digest>> {
    let cache = BaseCache::new(&cache_folder(), &Edges::engine_name());
    let mut digests = cache.recall(names);
    let unknown: BTreeSet<String> =
        names.iter().filter(|name| !digests.contains_key(*name)).cloned().collect();
    if !unknown.is_empty() {
        // What the engine pulls from is what a base image's name means to a build.
        let mirrors = edges.mirrors();
        let registry = edges.registry()?;
        digests.extend(edges.block_on(async { Ok(cache.ask(registry, &unknown, &mirrors).await?) })?);
    }
    Ok(digests)
}

/// `dtbuild` in the user's cache folder, as the XDG base directory specification has it.
fn cache_folder() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.or_else(home).unwrap_or_else(std::env::temp_dir).join("dtbuild")
}
