//! Base images: their digests and their configurations. Start with [`Bases`].
//!
//! `build.lock` has the first word, then what was answered before (a digest for an hour, a configuration for
//! ever), then the registries. What they do not tell may be had from a [stand-in](super::stand_ins); what nobody tells
//! keeps the images that need it from being decided, and no others.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::future::join_all;

use super::base_digests::BaseDigests;
use super::stand_ins::{HeldImages, StandIn};
use crate::clients::Clients;
use crate::config::lock::{LockedBase, LockedConfig, LockedConfigs};
use crate::config::{BasePolicy, Lock};
use crate::dockerfile::{BaseConfig, Configs, PlatformImage, Rest};
use crate::error::{Code, Error, Result};
use crate::plan::Deployed;
use crate::reference::Digest;
use crate::registry::base::BaseCache;
use crate::registry::configuration::{BaseImage, ConfigCache, ImageConfig};
use crate::workspace::Workspace;

/// The words for a registry that was not asked.
pub(super) const OFFLINE: &str = "no registry was asked, as `--offline` was given";

/// The digests that registries tell, or why they do not.
type Answers = BTreeMap<String, Result<Digest>>;

/// What is known of base images, and where more is to be had.
pub(crate) struct Bases<'a> {
    pub(super) clients: &'a Clients,
    pub(super) workspace: &'a Workspace,
    /// Whether the registries are asked for digests whatever they answered before.
    pub(super) anew: bool,
    /// Whether nobody is asked: what `build.lock` does not name counts by its name.
    by_name: bool,
    pub(super) digests: BTreeMap<String, Digest>,
    /// What analyses are given. Variables are told only where an analysis has a use for them.
    configs: Configs,
    /// What was read; none where there is nothing for the platform.
    pub(super) read: BTreeMap<BaseImage, Option<ImageConfig>>,
    /// What cannot be known better.
    exhausted: BTreeSet<PlatformImage>,
    /// The digests that the images of an environment were keyed with, where they agree.
    pub(super) recorded: OnceCell<BTreeMap<String, Digest>>,
    /// The images that an environment runs.
    pub(super) current: Option<&'a Deployed>,
    /// The images of the engine's own store that were asked for.
    pub(super) engine: HeldImages,
    /// Who told the digests that neither `build.lock` nor a registry did.
    pub(super) stand_ins: BTreeMap<String, StandIn>,
    /// The names whose digest cannot be had, with what was tried.
    pub(super) lost: BTreeMap<String, Vec<String>>,
    /// The images whose configuration cannot be had, with what was tried.
    pub(super) lost_configs: BTreeMap<BaseImage, Vec<String>>,
    /// The first failure of a registry.
    pub(super) failure: Option<Error>,
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
        Self {
            clients,
            workspace,
            anew,
            by_name: false,
            digests,
            configs: Configs::new(),
            read: BTreeMap::new(),
            exhausted: BTreeSet::new(),
            recorded: OnceCell::new(),
            current: None,
            engine: HeldImages::default(),
            stand_ins: BTreeMap::new(),
            lost: BTreeMap::new(),
            lost_configs: BTreeMap::new(),
            failure: None,
        }
    }

    /// With what the images that an environment runs were keyed with, for who asks no registry.
    pub(crate) fn recorded(self, current: Option<&'a Deployed>) -> Self {
        Self { current, ..self }
    }

    /// The configurations that analyses are given.
    pub(crate) fn configs(&self) -> &Configs {
        &self.configs
    }

    /// The digests. With `bases = "name"`, those that the lock does not name are left out.
    pub(crate) fn into_digests(self) -> BaseDigests {
        let held = self.stand_ins.into_iter().filter(|(_, stand_in)| *stand_in == StandIn::EngineAlone);
        BaseDigests { digests: self.digests, held: held.map(|(name, _)| name).collect() }
    }

    /// Fails if a registry did, for who needs all base images.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
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
        unknown.retain(|name| !self.lost.contains_key(name));
        if unknown.is_empty() {
            return Ok(());
        }
        let mut answers = match (self.clients.is_offline(), self.anew) {
            (true, _) => BTreeMap::new(),
            (false, true) => self.ask_anew(&unknown).await?,
            (false, false) => self.ask(&unknown).await?,
        };
        for name in unknown {
            match answers.remove(&name) {
                Some(Ok(digest)) => drop(self.digests.insert(name, digest)),
                Some(Err(error)) => {
                    let tried = error.advice();
                    self.failure.get_or_insert(error);
                    self.stand_in(name, tried).await;
                }
                None => self.stand_in(name, OFFLINE.to_owned()).await,
            }
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
        let is_new =
            |image: &&BaseImage| !self.read.contains_key(*image) && !self.lost_configs.contains_key(*image);
        for image in images.filter(is_new).cloned().collect::<BTreeSet<_>>() {
            match cache.recall(&image).or_else(|| self.engine.config(&image).map(Some)) {
                Some(config) => drop(self.read.insert(image, config)),
                None => asked.push(image),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let answers: Vec<Result<_>> = if self.clients.is_offline() {
            asked.iter().map(|_| Err(Error::new(Code::Offline, OFFLINE))).collect()
        } else {
            let (mirrors, registry) = (self.clients.mirrors().await, self.clients.registry()?);
            let answers = cache.read(registry, &asked, &mirrors).await.into_iter();
            answers.map(|answer| answer.map_err(Error::from)).collect()
        };
        for (image, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(config) => drop(self.read.insert(image, config)),
                Err(error) => self.config_of_engine(image, error).await,
            }
        }
        Ok(())
    }

    /// The digests that the registries serve now, whatever was answered before.
    async fn ask_anew(&self, names: &BTreeSet<String>) -> Result<Answers> {
        let (mirrors, registry) = (self.clients.mirrors().await, self.clients.registry()?);
        let mirrors = &mirrors;
        let asked = names.iter().map(|name| async move {
            (name.clone(), registry.resolve_base(name, mirrors).await.map_err(Error::from))
        });
        Ok(join_all(asked).await.into_iter().collect())
    }

    /// The digests that the registries serve: the last hour's answers, else asked in parallel.
    async fn ask(&self, names: &BTreeSet<String>) -> Result<Answers> {
        let cache = BaseCache::new(&cache_folder(), &Clients::engine_name());
        let known = cache.recall(names);
        let unknown: BTreeSet<String> =
            names.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
        let mut answers: Answers = known.into_iter().map(|(name, digest)| (name, Ok(digest))).collect();
        if !unknown.is_empty() {
            // A base image's name means to a build what the engine pulls, so the engine's mirrors are asked.
            let (mirrors, registry) = (self.clients.mirrors().await, self.clients.registry()?);
            let given = cache.ask(registry, &unknown, &mirrors).await.into_iter();
            answers.extend(given.map(|(name, answer)| (name, answer.map_err(Error::from))));
        }
        Ok(answers)
    }
}

/// A configuration in the form that analyses are given it.
fn told(image: &PlatformImage, config: &LockedConfig) -> BaseConfig {
    let rest = if config.env.is_some() { Rest::Nothing } else { Rest::Of(image.clone()) };
    let env = config.env.iter().flatten().map(|(name, value)| (name.clone(), Some(value.clone())));
    BaseConfig { env: env.collect(), rest, onbuild: config.onbuild.clone() }
}

pub(super) fn of_platform(image: &PlatformImage, digest: &Digest) -> BaseImage {
    BaseImage { name: image.name.clone(), digest: digest.clone(), platform: image.platform.clone() }
}

/// `dtbuild` in the user's cache folder, as the XDG base directory specification has it.
pub(super) fn cache_folder() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.or_else(home).unwrap_or_else(std::env::temp_dir).join("dtbuild")
}
