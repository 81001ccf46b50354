//! Base images: the digest that `FROM name` means. Start with [`BaseCache::ask`].
//!
//! Mirrors are asked for Docker Hub's images only, as docker does. Where a name stands for several platforms, the
//! digest is that of the index: the index covers all platforms, and asking for its digest does not count as a pull.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dtbuild_content::draft;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::host::Host;
use super::manifest;
use super::{Digest, Kind, PARALLEL, Registry, RegistryError};
use crate::docker_config::is_docker_hub;
use crate::reference::{Reference, Repository};

/// The time for which a registry's answer counts.
const LIFE: Duration = Duration::from_hours(1);

/// How long an answer is kept for who can ask nobody.
const KEPT: Duration = Duration::from_hours(24 * 90);

/// The largest cache file that is read, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// The answers of the registries, in a file of a folder; those of the last hour count. A file that is damaged or cannot be written costs
/// time, never a failure.
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
                if let Ok(Some(digest)) = self.wanted_digest(&host, repository.path(), &version).await {
                    return Ok(digest);
                }
            }
        }
        let host = self.host(repository)?;
        let found = self.wanted_digest(&host, repository.path(), &version).await?;
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
        let now = OffsetDateTime::now_utc();
        let file = self.read(now);
        let known = |name: &String| {
            let entry = file.entries.get(&self.key(name)).filter(|entry| now - entry.at < self.life)?;
            Some((name.clone(), entry.digest.clone()))
        };
        names.iter().filter_map(known).collect()
    }

    /// The last answer for a name, however old, and when it was given; nobody is asked.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<(Digest, OffsetDateTime)> {
        let mut file = self.read(OffsetDateTime::now_utc());
        file.entries.remove(&self.key(name)).map(|entry| (entry.digest, entry.at))
    }

    /// Asks the registries for these names, in parallel, and keeps the answers. Each name has an answer of its own.
    pub async fn ask(
        &self,
        registry: &Registry,
        names: &BTreeSet<String>,
        mirrors: &[String],
    ) -> BTreeMap<String, Result<Digest, RegistryError>> {
        let asked: Vec<_> = names
            .iter()
            .map(|name| {
                let (registry, name, mirrors) = (registry.clone(), name.clone(), mirrors.to_owned());
                async move {
                    let answer = registry.resolve_base(&name, &mirrors).await;
                    (name, answer)
                }
            })
            .collect();
        let answers: BTreeMap<_, _> = stream::iter(asked).buffered(PARALLEL).collect().await;
        let now = OffsetDateTime::now_utc();
        let mut file = self.read(now);
        let given = answers.iter().filter_map(|(name, answer)| Some((name, answer.as_ref().ok()?)));
        let entry =
            |(name, digest): (&String, &Digest)| (self.key(name), Entry { digest: digest.clone(), at: now });
        file.entries.extend(given.map(entry));
        // A cache that cannot be kept is no reason to fail.
        let _ = self.write(&file);
        answers
    }

    fn key(&self, name: &str) -> String {
        format!("{name} {}", self.engine)
    }

    /// The entries that are kept at this time; those of the future were written under a wrong clock.
    fn read(&self, now: OffsetDateTime) -> CacheFile {
        let small = std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() <= FILE_LIMIT);
        let bytes = if small { std::fs::read(&self.path).unwrap_or_default() } else { Vec::new() };
        let mut file: CacheFile = serde_json::from_slice(&bytes).unwrap_or_default();
        if file.version != 1 {
            file = CacheFile { version: 1, entries: BTreeMap::new() };
        }
        file.entries.retain(|_, entry| entry.at <= now && now - entry.at < KEPT);
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
        let minutes = [("fresh", 59), ("stale", 60), ("old", 60 * 24 * 90), ("future", -1)];
        let of_age = |(name, age)| (cache.key(name), entry(time::Duration::minutes(age), now));
        cache.write(&CacheFile { version: 1, entries: minutes.into_iter().map(of_age).collect() }).unwrap();
        let names = minutes.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(cache.recall(&names).into_keys().collect::<Vec<_>>(), ["fresh"]);
        // Who can ask nobody takes the last answer.
        let last = minutes.iter().filter(|(name, _)| cache.last(name).is_some()).map(|(name, _)| *name);
        assert_eq!(last.collect::<Vec<_>>(), ["fresh", "stale"]);
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
