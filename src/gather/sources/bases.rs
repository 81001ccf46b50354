//! Base images: their digests and their configurations. Start with [`Bases`].
//!
//! A digest or a configuration is taken from `build.lock` first, then from earlier answers (a digest for an
//! hour, a configuration for ever), then from the registries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::future::try_join_all;

use crate::clients::Clients;
use crate::config::lock::{LockedBase, LockedConfig, LockedConfigs};
use crate::config::{BasePolicy, Lock};
use crate::dockerfile::{BaseConfig, Configs, PlatformImage, Rest};
use crate::error::{Error, Result};
use crate::reference::Digest;
use crate::registry::base::BaseCache;
use crate::registry::configuration::{BaseImage, ConfigCache, ImageConfig};
use crate::workspace::Workspace;

/// The known base images, and the clients to ask for more.
pub(crate) struct Bases<'a> {
    clients: &'a Clients,
    workspace: &'a Workspace,
    /// True if the registries are asked for digests whatever they answered before.
    anew: bool,
    /// True if no registry is asked: a base image that `build.lock` does not name counts by its name.
    by_name: bool,
    digests: BTreeMap<String, Digest>,
    /// The configurations that analyses are given. Variables are included only where an analysis needs them.
    configs: Configs,
    /// The configurations that were read; none where the base image has nothing for the platform.
    read: BTreeMap<BaseImage, Option<ImageConfig>>,
    /// The base images about which nothing more can be learned.
    exhausted: BTreeSet<PlatformImage>,
}

impl<'a> Bases<'a> {
    /// The base images as `build.lock` has them.
    pub(crate) fn locked(clients: &'a Clients, workspace: &'a Workspace) -> Self {
        let lock = &workspace.lock;
        let digests = lock.bases.iter().map(|(name, base)| (name.clone(), base.digest.clone())).collect();
        let mut configs = Configs::new();
        for (name, base) in &lock.bases {
            for platform in &lock.platforms {
                if let Some(config) = lock.config(name, &base.digest, platform) {
                    let image = PlatformImage { name: name.clone(), platform: platform.clone() };
                    configs.insert(image.clone(), told(&image, config));
                }
            }
        }
        Self { digests, configs, ..Self::anew(clients, workspace, BTreeMap::new(), false) }
    }

    /// The base images as `build.lock` has them; others count by their names alone.
    pub(crate) fn by_name(clients: &'a Clients, workspace: &'a Workspace) -> Self {
        Self { by_name: true, ..Self::locked(clients, workspace) }
    }

    /// The base images as the registries serve them now, except for the digests in `kept`.
    pub(crate) fn moved(
        clients: &'a Clients,
        workspace: &'a Workspace,
        kept: BTreeMap<String, Digest>,
    ) -> Self {
        Self::anew(clients, workspace, kept, true)
    }

    fn anew(
        clients: &'a Clients,
        workspace: &'a Workspace,
        digests: BTreeMap<String, Digest>,
        anew: bool,
    ) -> Self {
        let (configs, read, exhausted) = (Configs::new(), BTreeMap::new(), BTreeSet::new());
        Self { clients, workspace, anew, by_name: false, digests, configs, read, exhausted }
    }

    /// The configurations that analyses are given.
    pub(crate) fn configs(&self) -> &Configs {
        &self.configs
    }

    /// The digests by name. With `bases = "name"`, base images that the lock does not name have none.
    pub(crate) fn into_digests(self) -> BTreeMap<String, Digest> {
        self.digests
    }

    /// Finds the digests of the base images `names`.
    pub(crate) async fn resolve(&mut self, names: &BTreeSet<String>) -> Result<()> {
        let mut unknown = BTreeSet::new();
        for name in names {
            match name.split_once('@') {
                _ if self.digests.contains_key(name) => {}
                Some((_, digest)) => drop(self.digests.insert(name.clone(), digest.parse()?)),
                None if self.may_ask() => drop(unknown.insert(name.clone())),
                None => {}
            }
        }
        if !unknown.is_empty() {
            let found = if self.anew { self.ask_anew(&unknown).await? } else { self.ask(&unknown).await? };
            self.digests.extend(found);
        }
        Ok(())
    }

    /// Learns more about the configurations that analyses lack, and returns the images about which more is
    /// known now.
    pub(crate) async fn learn(
        &mut self,
        unread: &BTreeSet<PlatformImage>,
    ) -> Result<BTreeSet<PlatformImage>> {
        let (mut learned, mut asked) = (BTreeSet::new(), Vec::new());
        for image in unread.difference(&self.exhausted.clone()) {
            let Some(digest) = self.digests.get(&image.name) else {
                self.exhausted.insert(image.clone());
                continue;
            };
            match self.workspace.lock.config(&image.name, digest, &image.platform) {
                Some(config) if !self.configs.contains_key(image) => {
                    self.configs
                        .insert(image.clone(), told(image, &LockedConfig { env: None, ..config.clone() }));
                    learned.insert(image.clone());
                }
                Some(config) if config.env.is_some() => {
                    self.configs.insert(image.clone(), told(image, config));
                    learned.insert(image.clone());
                }
                _ if self.may_ask() => asked.push((image.clone(), of_platform(image, digest))),
                _ => drop(self.exhausted.insert(image.clone())),
            }
        }
        self.read(asked.iter().map(|(_, image)| image)).await?;
        for (image, base) in asked {
            let Some(Some(config)) = self.read.get(&base) else {
                self.exhausted.insert(image);
                continue;
            };
            // Variables are included only at the second request for the same image.
            let env = self.configs.contains_key(&image).then(|| config.env.clone());
            let config = LockedConfig { onbuild: config.onbuild.clone(), env };
            self.configs.insert(image.clone(), told(&image, &config));
            learned.insert(image);
        }
        Ok(learned)
    }

    /// The content of `build.lock` for the base images `names` on `platforms`.
    pub(crate) async fn lock(
        &mut self,
        names: &BTreeSet<String>,
        platforms: BTreeSet<String>,
    ) -> Result<Lock> {
        let mut needed = Vec::new();
        for (name, digest) in names.iter().filter_map(|name| self.digests.get_key_value(name)) {
            for platform in &platforms {
                let (name, digest, platform) = (name.clone(), digest.clone(), platform.clone());
                needed.push(BaseImage { name, digest, platform });
            }
        }
        let known = |image: &&BaseImage| self.locked_config(image).is_none();
        let asked: Vec<BaseImage> = needed.iter().filter(known).cloned().collect();
        self.read(asked.iter()).await?;
        let mut bases = BTreeMap::new();
        for (name, digest) in names.iter().filter_map(|name| self.digests.get_key_value(name)) {
            let of_name = needed.iter().filter(|image| image.name == *name);
            let configs: BTreeMap<String, LockedConfig> = of_name
                .filter_map(|image| Some((image.platform.clone(), self.locked_config(image)?)))
                .collect();
            let mut different: Vec<&LockedConfig> = configs.values().collect();
            different.dedup();
            let configs = match different.as_slice() {
                [same] if configs.len() == platforms.len() => LockedConfigs::Same((*same).clone()),
                _ => LockedConfigs::Each(configs),
            };
            bases.insert(name.clone(), LockedBase { digest: digest.clone(), configs });
        }
        Ok(Lock { platforms, bases })
    }

    /// The known configuration of a base image, in the form that the lock has it.
    fn locked_config(&self, image: &BaseImage) -> Option<LockedConfig> {
        let uses_env = self
            .configs
            .iter()
            .any(|(known, config)| known.name == image.name && config.rest == Rest::Nothing);
        let old = self.workspace.lock.config(&image.name, &image.digest, &image.platform);
        if let Some(old) = old.filter(|old| !uses_env || old.env.is_some()) {
            let env = old.env.clone().filter(|_| uses_env);
            return Some(LockedConfig { env, ..old.clone() });
        }
        let read = self.read.get(image)?.as_ref()?;
        let env = uses_env.then(|| read.env.clone());
        Some(LockedConfig { onbuild: read.onbuild.clone(), env })
    }

    fn may_ask(&self) -> bool {
        self.anew || (self.workspace.config.bases == BasePolicy::Resolve && !self.by_name)
    }

    /// Reads the configurations that were not read yet.
    async fn read<'i>(&mut self, images: impl Iterator<Item = &'i BaseImage>) -> Result<()> {
        let cache = ConfigCache::new(&cache_folder(), self.workspace.repository.code());
        let mut asked = Vec::new();
        for image in images.filter(|image| !self.read.contains_key(*image)).cloned().collect::<BTreeSet<_>>()
        {
            match cache.recall(&image) {
                Some(config) => drop(self.read.insert(image, config)),
                None => asked.push(image),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let (mirrors, registry) = (self.clients.mirrors().await, self.clients.registry()?);
        let configs = cache.read(registry, &asked, &mirrors).await?;
        self.read.extend(asked.into_iter().zip(configs));
        Ok(())
    }

    /// The digests that the registries serve now, whatever they answered before.
    async fn ask_anew(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Digest>> {
        let (mirrors, registry) = (self.clients.mirrors().await, self.clients.registry()?);
        let mirrors = &mirrors;
        let asked = names.iter().map(|name| async move {
            Ok::<_, Error>((name.clone(), registry.resolve_base(name, mirrors).await?))
        });
        Ok(try_join_all(asked).await?.into_iter().collect())
    }

    /// The digests that the registries serve: answers of the last hour, else from parallel requests.
    async fn ask(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Digest>> {
        let cache = BaseCache::new(&cache_folder(), &Clients::engine_name());
        let mut digests = cache.recall(names);
        let unknown: BTreeSet<String> =
            names.iter().filter(|name| !digests.contains_key(*name)).cloned().collect();
        if !unknown.is_empty() {
            // A base image's name means to a build what the engine pulls, so the engine's mirrors are asked.
            let (mirrors, registry) = (self.clients.mirrors().await, self.clients.registry()?);
            digests.extend(cache.ask(registry, &unknown, &mirrors).await?);
        }
        Ok(digests)
    }
}

/// A configuration in the form that analyses are given it.
fn told(image: &PlatformImage, config: &LockedConfig) -> BaseConfig {
    let rest = if config.env.is_some() { Rest::Nothing } else { Rest::Of(image.clone()) };
    let env = config.env.iter().flatten().map(|(name, value)| (name.clone(), Some(value.clone())));
    BaseConfig { env: env.collect(), rest, onbuild: config.onbuild.clone() }
}

fn of_platform(image: &PlatformImage, digest: &Digest) -> BaseImage {
    BaseImage { name: image.name.clone(), digest: digest.clone(), platform: image.platform.clone() }
}

/// The folder `dtbuild` in the user's cache folder, as the XDG base directory specification has it.
fn cache_folder() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.or_else(home).unwrap_or_else(std::env::temp_dir).join("dtbuild")
}
