//! The content stores of a session: caches in folders of this machine. Start with [`Caches`].
//!
//! A cache of `type=local` is a folder that the engine reads and writes through containerd's content service,
//! which BuildKit finds in the session. Each call says by the store's name which folder is meant; the engine
//! is told no path.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptionsEntry, SolveResponse};

use self::layout::Layout;
use super::short_hash;
use crate::config::{BuildOptions, CacheEntry};
use crate::engine::EngineError;

mod layout;
mod messages;
mod service;
mod upload;

pub(super) use self::service::METHODS;

/// The prefix that the engine puts before the name of a store in a folder.
const PREFIX: &str = "local:";
/// The tag of a cache in its folder, unless another tag was asked for.
const LATEST: &str = "latest";
/// The key in the answer to a solve that holds the descriptor of the exported cache.
const EXPORTED: &str = "cache.manifest";

/// The folders with the caches of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caches {
    /// The folders, by the store names that the engine uses.
    stores: Arc<BTreeMap<String, Layout>>,
    /// The digests of the caches that are read, by folder and tag.
    found: BTreeMap<(PathBuf, String), String>,
}

impl Caches {
    /// Opens the folders that `options` name: makes the folders to export to, and looks up the caches to
    /// import from.
    pub(super) fn open(options: &BuildOptions) -> Result<Self, EngineError> {
        let (mut stores, mut found) = (BTreeMap::new(), BTreeMap::new());
        for folder in folders(&options.cache_to) {
            let layout = Layout::new(folder);
            layout.create().map_err(|error| unusable(folder, &error))?;
            stores.insert(store_name(folder), layout);
        }
        for entry in &options.cache_from {
            let Some(folder) = entry.folder() else { continue };
            let layout = Layout::new(folder);
            let tag = tag(entry);
            let digest = match entry.attributes.get("digest") {
                Some(digest) => Some(digest.clone()),
                None => layout.tagged(tag).map_err(|error| unusable(folder, &error))?,
            };
            if let Some(digest) = digest {
                found.insert((folder.to_owned(), tag.to_owned()), digest);
                stores.insert(store_name(folder), layout);
            }
        }
        Ok(Self { stores: Arc::new(stores), found })
    }

    /// The entry as the engine is told of it; none for a cache that does not exist yet, as at the first run.
    pub(super) fn told(&self, entry: &CacheEntry) -> Option<CacheOptionsEntry> {
        let Some(folder) = entry.folder() else {
            let attrs = entry.attributes.clone().into_iter().collect();
            return Some(CacheOptionsEntry { r#type: entry.kind.clone(), attrs });
        };
        let name = store_name(folder);
        let mut attributes = entry.attributes.clone();
        attributes.remove("tag");
        if attributes.contains_key("dest") {
            attributes.insert("dest".to_owned(), name);
        } else {
            let digest = self.found.get(&(folder.to_owned(), tag(entry).to_owned()))?;
            attributes.insert("digest".to_owned(), digest.clone());
            attributes.insert("src".to_owned(), name);
        }
        Some(CacheOptionsEntry { r#type: entry.kind.clone(), attrs: attributes.into_iter().collect() })
    }

    /// True if the build has no cache in a folder.
    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// The folder of the store that the engine calls `name`.
    fn store(&self, name: &str) -> Option<&Layout> {
        self.stores.get(name.strip_prefix(PREFIX)?)
    }
}

/// Gives the cache that the engine exported to folders its tags there.
pub(super) fn keep(options: &BuildOptions, answer: &SolveResponse) -> Result<(), EngineError> {
    let Some(manifest) = answer.exporter_response.get(EXPORTED) else { return Ok(()) };
    for entry in &options.cache_to {
        let Some(folder) = entry.folder() else { continue };
        let tagged = serde_json::from_str(manifest).map_err(io::Error::from);
        let tagged = tagged.and_then(|descriptor| Layout::new(folder).tag(descriptor, tag(entry)));
        tagged.map_err(|error| unusable(folder, &error))?;
    }
    Ok(())
}

fn folders(entries: &[CacheEntry]) -> impl Iterator<Item = &Path> {
    entries.iter().filter_map(CacheEntry::folder)
}

fn tag(entry: &CacheEntry) -> &str {
    entry.attributes.get("tag").map_or(LATEST, String::as_str)
}

/// The store's name of a folder: a hash, which does not tell an engine elsewhere the paths of this machine.
fn store_name(folder: &Path) -> String {
    short_hash(&[folder.as_os_str().as_encoded_bytes()])
}

fn unusable(folder: &Path, error: &io::Error) -> EngineError {
    EngineError::Cache { folder: folder.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &Path)]) -> CacheEntry {
        let own = |(name, value): &(&str, &Path)| ((*name).to_owned(), value.display().to_string());
        CacheEntry { kind: "local".to_owned(), attributes: attributes.iter().map(own).collect() }
    }

    #[test]
    fn a_cache_is_found_once_it_was_brought_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        let (from, to) = (entry(&[("src", &path)]), entry(&[("dest", &path), ("mode", "max".as_ref())]));
        let importing = BuildOptions { cache_from: vec![from.clone()], ..BuildOptions::default() };
        let caches = Caches::open(&importing).unwrap();
        assert!(caches.is_empty() && caches.told(&from).is_none() && !path.exists());

        let exporting = BuildOptions { cache_to: vec![to.clone()], ..BuildOptions::default() };
        let caches = Caches::open(&exporting).unwrap();
        let told = caches.told(&to).unwrap().attrs;
        assert_eq!((told["mode"].as_str(), told.len()), ("max", 2));
        assert!(!told["dest"].contains("cache"), "no path is told: {told:?}");
        assert!(caches.store(&format!("local:{}", told["dest"])).is_some());
        assert!(caches.store(&told["dest"]).is_none() && caches.store("local:other").is_none());
        let mut answer = SolveResponse::default();
        keep(&exporting, &answer).unwrap();
        answer.exporter_response.insert(EXPORTED.to_owned(), r#"{"digest":"sha256:00","size":1}"#.to_owned());
        keep(&exporting, &answer).unwrap();

        let told = Caches::open(&importing).unwrap().told(&from).unwrap().attrs;
        assert_eq!((told["digest"].as_str(), &told["src"]), ("sha256:00", &store_name(&path)));
        let other = entry(&[("src", &path), ("tag", "other".as_ref())]);
        assert!(Caches::open(&importing).unwrap().told(&other).is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let to = entry(&[("dest", &file.path().join("cache"))]);
        let options = BuildOptions { cache_to: vec![to], ..BuildOptions::default() };
        let error = Caches::open(&options).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot keep a cache in `/") && error.contains("Not a directory"),
            "{error}"
        );
    }
}
