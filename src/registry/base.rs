//! Base images: the digest that `FROM name` means. Start with [`BaseCache::ask`].
//!
//! Mirrors are asked for Docker Hub's images only, as docker does. Where a name stands for several platforms, the
//! digest is that of the index: the index covers all platforms, and asking for its digest does not count as a pull.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dtbuild_content::draft;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::host::Host;
use super::manifest;
use super::transport::Hidden;
use super::{Digest, Kind, PARALLEL, Registry, RegistryError};
use crate::docker_config::is_docker_hub;
use crate::reference::{Reference, Repository};

/// The time for which a registry's answer counts.
const LIFE: Duration = Duration::from_hours(1);

/// The largest cache file that is read, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// The registries' answers of the last hour, in a file of a folder. A file that is damaged or cannot be written
/// costs time, never a failure.
#[derive(Clone, Debug)]
pub struct BaseCache {
    path: PathBuf,
    engine: String,
    life: Duration,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct CacheFile {
    version: u32,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    digest: Digest,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl Registry {
    /// The digest that `FROM name` means now. A name with a digest needs no request.
    pub async fn resolve_base(&self, name: &str, mirrors: &[String]) -> Result<Digest, RegistryError> {
        self.ask_for_base(name, mirrors)
            .await
            .map_err(|kind| kind.during(format!("resolve the base image `{name}`")))
    }

    async fn ask_for_base(&self, name: &str, mirrors: &[String]) -> Result<Digest, Kind> {
        if let Some((_, digest)) = name.split_once('@') {
            return digest
                .parse()
                .map_err(|error: crate::reference::ReferenceError| Kind::Name(error.to_string()));
        }
        let reference = normalize(name)?;
        let (repository, version) = (reference.repository(), manifest::version(&reference));
        if is_docker_hub(repository.registry()) {
            for mirror in mirrors {
                let host = Host::mirror(mirror, self.0.client.plain())?;
                // A mirror that fails is passed over: the registry itself has the last word.
                if let Ok(Some(digest)) =
                    self.manifest_digest(&host, repository.path(), &version, Hidden::IsRefused).await
                {
                    return Ok(digest);
                }
            }
        }
        let host = self.host(repository)?;
        let found = self.manifest_digest(&host, repository.path(), &version, Hidden::IsRefused).await?;
        found.ok_or_else(|| Kind::NotFound { name: reference.to_string() })
    }
}

impl BaseCache {
    /// The cache in a folder. The folder is made when the first answer is kept.
    ///
    /// `engine` names the engine whose mirrors are asked: the mirrors of another engine may answer otherwise.
    #[must_use]
    pub fn new(folder: &Path, engine: &str) -> Self {
        Self { path: folder.join("bases.json"), engine: engine.to_owned(), life: LIFE }
    }

    /// The digests of these names among the last hour's answers, without any request.
    #[must_use]
    pub fn recall(&self, names: &BTreeSet<String>) -> BTreeMap<String, Digest> {
        let file = self.read(OffsetDateTime::now_utc());
        let known = |name: &String| Some((name.clone(), file.entries.get(&self.key(name))?.digest.clone()));
        names.iter().filter_map(known).collect()
    }

    /// Asks the registries for these names, in parallel, and keeps the answers.
    pub async fn ask(
        &self,
        registry: &Registry,
        names: &BTreeSet<String>,
        mirrors: &[String],
    ) -> Result<BTreeMap<String, Digest>, RegistryError> {
        let asked: Vec<_> = names
            .iter()
            .map(|name| {
                let (registry, name, mirrors) = (registry.clone(), name.clone(), mirrors.to_owned());
                async move { registry.resolve_base(&name, &mirrors).await.map(|digest| (name, digest)) }
            })
            .collect();
        let answers: Vec<(String, Digest)> = stream::iter(asked).buffered(PARALLEL).try_collect().await?;
        let now = OffsetDateTime::now_utc();
        let mut file = self.read(now);
        let entry =
            |(name, digest): &(String, Digest)| (self.key(name), Entry { digest: digest.clone(), at: now });
        file.entries.extend(answers.iter().map(entry));
        // A cache that cannot be kept is no reason to fail.
        let _ = self.write(&file);
        Ok(answers.into_iter().collect())
    }

    fn key(&self, name: &str) -> String {
        format!("{name} {}", self.engine)
    }

    /// The answers that count at this time; answers with a time in the future were written under a wrong clock.
    fn read(&self, now: OffsetDateTime) -> CacheFile {
        let small = std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() <= FILE_LIMIT);
        let bytes = if small { std::fs::read(&self.path).unwrap_or_default() } else { Vec::new() };
        let mut file: CacheFile = serde_json::from_slice(&bytes).unwrap_or_default();
        if file.version != 1 {
            file = CacheFile { version: 1, entries: BTreeMap::new() };
        }
        file.entries.retain(|_, entry| entry.at <= now && now - entry.at < self.life);
        file
    }

    fn write(&self, file: &CacheFile) -> std::io::Result<()> {
        draft::replace(&self.path, &[&serde_json::to_vec_pretty(file)?])
    }
}

/// The full form of a base image's name: Docker Hub and its `library` where the name has no host and no slash.
pub(super) fn normalize(name: &str) -> Result<Reference, Kind> {
    let named = |error: crate::reference::ReferenceError| Kind::Name(error.to_string());
    let reference: Reference = name.parse().map_err(named)?;
    let (registry, path) = (reference.repository().registry(), reference.repository().path());
    if !is_docker_hub(registry) {
        return Ok(reference);
    }
    let library = if path.contains('/') { "" } else { "library/" };
    let repository: Repository = format!("docker.io/{library}{path}").parse().map_err(named)?;
    repository.tagged(reference.tag().unwrap_or("latest")).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(age: time::Duration, now: OffsetDateTime) -> Entry {
        Entry { digest: super::super::digest_of(b"x"), at: now - age }
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (name, full) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:12-slim", "docker.io/library/debian:12-slim"),
            ("docker.io/debian:12", "docker.io/library/debian:12"),
            ("index.docker.io/library/debian:12", "docker.io/library/debian:12"),
            ("grafana/grafana:11", "docker.io/grafana/grafana:11"),
            ("quay.io/a/b", "quay.io/a/b:latest"),
            ("localhost:5000/a:1", "localhost:5000/a:1"),
        ] {
            assert_eq!(normalize(name).unwrap().to_string(), full, "{name}");
        }
    }

    #[tokio::test]
    async fn a_pinned_name_answers_itself() {
        let registry = Registry::new(super::super::Settings::default()).unwrap();
        let digest = super::super::digest_of(b"x");
        for name in [format!("debian@{digest}"), format!("debian:12@{digest}")] {
            assert_eq!(registry.resolve_base(&name, &[]).await.unwrap(), digest);
        }
    }

    #[test]
    fn an_answer_counts_for_an_hour_and_never_from_the_future() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BaseCache::new(&folder.path().join("made/when/needed"), "unix");
        let now = OffsetDateTime::now_utc();
        let entries = BTreeMap::from([
            ("fresh".to_owned(), entry(time::Duration::minutes(59), now)),
            ("stale".to_owned(), entry(time::Duration::minutes(60), now)),
            ("future".to_owned(), entry(time::Duration::minutes(-1), now)),
        ]);
        cache.write(&CacheFile { version: 1, entries }).unwrap();
        assert_eq!(cache.read(now).entries.into_keys().collect::<Vec<_>>(), ["fresh"]);
    }

    #[test]
    fn a_damaged_file_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BaseCache::new(folder.path(), "unix");
        for damage in [&b"{"[..], b"{\"version\":9,\"entries\":{}}", b"\xff"] {
            std::fs::write(&cache.path, damage).unwrap();
            let file = cache.read(OffsetDateTime::now_utc());
            assert!(file.entries.is_empty() && file.version == 1);
        }
    }
}
