//! The configurations of base images, as far as builds on these base images depend on them. Start with [`ConfigCache`].
//!
//! An index leads to the manifest of a platform, the manifest to the configuration. Each document has a size limit and
//! is checked against its digest, so an answer counts for ever. The formats are those of
//! <https://github.com/opencontainers/image-spec>, and Docker's own, which add ONBUILD.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dtbuild_content::draft;
use dtbuild_content::fingerprint::{Fingerprint, OwnFolder};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::base::normalize;
use super::host::Host;
use super::transport::Hidden;
use super::{Digest, Kind, PARALLEL, Registry, RegistryError};
use crate::docker_config::is_docker_hub;
use crate::platform;
use crate::reference::Repository;

/// The largest configuration that is read, in bytes.
const LIMIT: usize = 4 * 1024 * 1024;

/// The largest cache file that is read, in bytes.
const FILE_LIMIT: u64 = 8 * 1024 * 1024;

/// The media types of the configurations that engines run.
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The media types of the manifests that name others, one per platform.
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The part of an image's configuration that builds on this image depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The variables that the image sets, except `PATH`, which every image has.
    pub env: BTreeMap<String, String>,
    /// The ONBUILD instructions, which a build on the image replays.
    pub onbuild: Vec<String>,
}

/// A base image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseImage {
    /// The name that a Dockerfile uses.
    pub name: String,
    /// The digest that the name stands for.
    pub digest: Digest,
    /// The platform in its normal form, such as `linux/arm/v7`.
    pub platform: String,
}

/// The configurations that were read, each in a file. A file that is damaged or cannot be written costs time,
/// never a failure.
#[derive(Clone, Debug)]
pub struct ConfigCache {
    own: OwnFolder,
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<EntryPlatform>,
}

#[derive(Deserialize)]
struct EntryPlatform {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: String,
}

#[derive(Deserialize)]
struct ImageManifest {
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
}

#[derive(Default, Deserialize)]
struct Image {
    config: Option<Config>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    env: Option<Vec<String>>,
    on_build: Option<Vec<String>>,
}

impl Registry {
    /// The configuration of a base image; none where the base image does not exist for exactly its platform, or
    /// is no image.
    pub async fn base_config(
        &self,
        image: &BaseImage,
        mirrors: &[String],
    ) -> Result<Option<ImageConfig>, RegistryError> {
        let action = || format!("read the configuration of the base image `{}`", image.name);
        self.ask_for_config(image, mirrors).await.map_err(|kind| kind.during(action()))
    }

    async fn ask_for_config(
        &self,
        image: &BaseImage,
        mirrors: &[String],
    ) -> Result<Option<ImageConfig>, Kind> {
        let named = image.name.split('@').next().unwrap_or_default();
        let reference = normalize(named)?;
        let repository = reference.repository();
        if is_docker_hub(repository.registry()) {
            for mirror in mirrors {
                let host = Host::mirror(mirror, self.0.client.plain())?;
                // A mirror that fails is passed over: the registry itself has the last word.
                if let Ok(Some(config)) = self.config_at(&host, repository, image).await {
                    return Ok(Some(config));
                }
            }
        }
        let host = self.host(repository)?;
        self.config_at(&host, repository, image).await
    }

    async fn config_at(
        &self,
        host: &Host,
        repository: &Repository,
        image: &BaseImage,
    ) -> Result<Option<ImageConfig>, Kind> {
        let invalid = |what: &str| Kind::invalid(&host.name, what);
        let missing = |digest: &Digest| Kind::NotFound { name: repository.pinned(digest).to_string() };
        let fetch = async |digest: &Digest| {
            let manifest = self.manifest(host, &repository.pinned(digest), Hidden::IsRefused).await?;
            manifest.ok_or_else(|| missing(digest))
        };
        let mut manifest = fetch(&image.digest).await?;
        if INDEXES.contains(&manifest.media_type.as_str()) {
            let index: Index =
                serde_json::from_slice(&manifest.bytes).map_err(|_| invalid("an index that is none"))?;
            let Some(digest) = index.find(&image.platform) else { return Ok(None) };
            manifest = fetch(&digest.parse().map_err(|_| invalid("a digest that is none"))?).await?;
        }
        // No stage can stand on an index within an index, or on an artifact.
        let content: Option<ImageManifest> = serde_json::from_slice(&manifest.bytes).ok();
        let Some(config) = content.and_then(|content| content.config) else { return Ok(None) };
        if !CONFIGS.contains(&config.media_type.as_str()) {
            return Ok(None);
        }
        let digest: Digest = config.digest.parse().map_err(|_| invalid("a digest that is none"))?;
        let blob = self.blob(host, repository, &digest, LIMIT).await?.ok_or_else(|| missing(&digest))?;
        let image: Image =
            serde_json::from_slice(&blob).map_err(|_| invalid("a configuration that is none"))?;
        Ok(Some(image.config.unwrap_or_default().into()))
    }
}

impl Index {
    /// The digest of the manifest for exactly this platform. The platform that an engine would fall back to is
    /// not known here.
    fn find(&self, platform: &str) -> Option<&str> {
        let is_for = |entry: &&Entry| {
            entry.platform.as_ref().is_some_and(|found| found.normal().as_deref() == Some(platform))
        };
        self.manifests.iter().find(is_for).map(|entry| entry.digest.as_str())
    }
}

impl EntryPlatform {
    fn normal(&self) -> Option<String> {
        let variant = if self.variant.is_empty() { "" } else { "/" };
        platform::normal(&format!("{}/{}{variant}{}", self.os, self.architecture, self.variant))
    }
}

impl ImageConfig {
    /// What the variables, written `NAME=value`, and the ONBUILD instructions of a configuration tell.
    #[must_use]
    pub fn new(env: Vec<String>, onbuild: Vec<String>) -> Self {
        let variable = |text: String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (text, String::new()),
        };
        let env = env.into_iter().map(variable).filter(|(name, _)| name != "PATH").collect();
        Self { env, onbuild }
    }
}

impl From<Config> for ImageConfig {
    fn from(config: Config) -> Self {
        Self::new(config.env.unwrap_or_default(), config.on_build.unwrap_or_default())
    }
}

impl ConfigCache {
    /// The cache of this `code` in a folder. The folder is made when the first configuration is kept.
    #[must_use]
    pub fn new(folder: &Path, code: Fingerprint) -> Self {
        let own = code.folder(folder);
        Self { folder: own.file("configurations"), own }
    }

    /// The configurations of these images, asked for in parallel. Each image has an answer of its own.
    pub async fn read(
        &self,
        registry: &Registry,
        images: &[BaseImage],
        mirrors: &[String],
    ) -> Vec<Result<Option<ImageConfig>, RegistryError>> {
        let asked: Vec<_> = images
            .iter()
            .map(|image| {
                let (registry, image, mirrors) = (registry.clone(), image.clone(), mirrors.to_owned());
                async move {
                    let config = registry.base_config(&image, &mirrors).await?;
                    // A cache that cannot be kept is no reason to fail.
                    let _ = self.keep(&image, config.as_ref());
                    Ok(config)
                }
            })
            .collect();
        stream::iter(asked).buffered(PARALLEL).collect().await
    }

    /// The configuration that the cache has for a base image; the outer none when the cache has nothing.
    #[must_use]
    pub fn recall(&self, image: &BaseImage) -> Option<Option<ImageConfig>> {
        let path = self.path(image);
        if std::fs::metadata(&path).ok()?.len() > FILE_LIMIT {
            return None;
        }
        let text = std::fs::read_to_string(&path).ok()?;
        let (checksum, content) = text.split_once('\n')?;
        if blake3::hash(content.as_bytes()).to_hex().as_str() != checksum {
            return None;
        }
        serde_json::from_str(content).ok()
    }

    fn keep(&self, image: &BaseImage, config: Option<&ImageConfig>) -> std::io::Result<()> {
        let content = serde_json::to_string(&config)?;
        let checksum = blake3::hash(content.as_bytes()).to_hex();
        self.own.make()?;
        draft::replace(&self.path(image), &[checksum.as_bytes(), b"\n", content.as_bytes()])
    }

    fn path(&self, image: &BaseImage) -> PathBuf {
        let hex = image.digest.as_str().trim_start_matches("sha256:");
        self.folder.join(format!("{hex}-{}.json", image.platform.replace('/', "-")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> BaseImage {
        let digest = super::super::digest_of(b"x");
        BaseImage { name: "a".to_owned(), digest, platform: "linux/arm/v7".to_owned() }
    }

    #[test]
    fn an_index_is_asked_for_exactly_one_platform() {
        let text = r#"{"manifests":[
            {"digest":"none"},
            {"digest":"attestation","platform":{"os":"unknown","architecture":"unknown"}},
            {"digest":"arm64","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"digest":"arm6","platform":{"os":"linux","architecture":"arm","variant":"v6"}},
            {"digest":"amd64","platform":{"os":"linux","architecture":"amd64"}}]}"#;
        let index: Index = serde_json::from_str(text).unwrap();
        assert_eq!(index.find("linux/amd64"), Some("amd64"));
        assert_eq!(index.find("linux/arm64"), Some("arm64"));
        assert_eq!(index.find("linux/arm/v7"), None, "an engine may fall back to another");
    }

    #[test]
    fn a_configuration_may_say_nothing() {
        let read = |text: &str| -> ImageConfig {
            let image: Image = serde_json::from_str(text).unwrap();
            image.config.unwrap_or_default().into()
        };
        for text in ["{}", r#"{"config":null}"#, r#"{"config":{"Env":null,"OnBuild":null}}"#] {
            assert_eq!(read(text), ImageConfig::default(), "{text}");
        }
        let said = read(r#"{"config":{"Env":["PATH=/bin","A=b=c","E"],"OnBuild":["COPY . /"]}}"#);
        let env = [("A", "b=c"), ("E", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(said, ImageConfig { env: env.into(), onbuild: vec!["COPY . /".to_owned()] });
    }

    #[test]
    fn what_is_kept_counts_until_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ConfigCache::new(folder.path(), Fingerprint::of("the code under test"));
        let config = ImageConfig { onbuild: vec!["COPY a\n /".to_owned()], ..ImageConfig::default() };
        for kept in [None, Some(config)] {
            assert_eq!(cache.recall(&image()), None);
            cache.keep(&image(), kept.as_ref()).unwrap();
            assert_eq!(cache.recall(&image()), Some(kept));
            let path = cache.path(&image());
            let damaged = std::fs::read_to_string(&path).unwrap().replace(['a', 'n'], "o");
            std::fs::write(&path, damaged).unwrap();
        }
        let other = BaseImage { platform: "linux/arm/v6".to_owned(), ..image() };
        assert_eq!(cache.recall(&other), None);
        cache.keep(&image(), None).unwrap();
        assert_eq!(ConfigCache::new(folder.path(), Fingerprint::of("other code")).recall(&image()), None);
    }
}
