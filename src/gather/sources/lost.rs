//! What becomes of base images that no registry tells of: who stands in, and what is lost. Part of [`Bases`].

use super::bases::{Bases, cache_folder, of_platform};
use super::stand_ins::StandIn;
use crate::clients::Clients;
use crate::dockerfile::{Analysis, PlatformImage};
use crate::error::Error;
use crate::plan::{LostBase, Reason};
use crate::registry::base::BaseCache;
use crate::registry::configuration::BaseImage;
use crate::workspace::Files;

impl Bases<'_> {
    /// What of the base images of a Dockerfile cannot be had: [`Reason::BaseUnknown`] for each.
    pub(super) fn lost(&self, file: &str, analyses: &[Analysis]) -> Vec<Reason> {
        let mut lost = Vec::new();
        for analysis in analyses {
            for base in &analysis.bases {
                let mut configs = analysis.unread.iter().filter(|image| image.name == base.name);
                let config = |image: &PlatformImage| {
                    let digest = self.digests.get(&image.name)?;
                    self.lost_configs.get(&of_platform(image, digest))
                };
                let tried = self.lost.get(&base.name).or_else(|| configs.find_map(config));
                let Some(tried) = tried else { continue };
                let (file, line) = (file.to_owned(), base.lines.first().copied().unwrap_or_default());
                let reason = Reason::BaseUnknown(LostBase {
                    file,
                    line,
                    name: base.name.clone(),
                    tried: tried.clone(),
                });
                if !lost.contains(&reason) {
                    lost.push(reason);
                }
            }
        }
        lost
    }

    /// The remarks on the base images of a Dockerfile whose digests neither `build.lock` nor a registry told.
    pub(super) fn stand_ins(&self, file: &str, analyses: &[Analysis]) -> Vec<String> {
        let mut remarks = Vec::new();
        for base in analyses.iter().flat_map(|analysis| &analysis.bases) {
            let Some((stand_in, digest)) = self.stand_ins.get(&base.name).zip(self.digests.get(&base.name))
            else {
                continue;
            };
            let line = base.lines.first().copied().unwrap_or_default();
            let remark =
                format!("{file}:{line}: the base image `{}` is taken as {digest}, {stand_in}", base.name);
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
        remarks
    }

    /// Finds out a digest that no registry told, from the record, this machine's memory or the engine's own images.
    pub(super) async fn stand_in(&mut self, name: String, registry: String) {
        let mut tried = vec!["build.lock does not name it".to_owned(), registry];
        let mut found = None;
        if self.clients.is_offline() {
            let cache = BaseCache::new(&cache_folder(), &Clients::engine_name());
            let remembered = || cache.last(&name).map(|(digest, at)| (digest, StandIn::Memory(at)));
            // Reading the fields of all keys takes longer than a plan that needs none of them.
            let recorded = self.recorded.get_or_init(|| super::stand_ins::recorded(self.current));
            let recorded = recorded.get(&name).map(|digest| (digest.clone(), StandIn::Record));
            found = recorded.or_else(remembered);
            tried.push("neither what the environment runs nor this machine's memory tells it".to_owned());
        }
        if found.is_none() && self.may_ask_engine() {
            found = match self.engine.digest(self.clients, &name).await {
                // What no registry has is nothing that a commit can be released from.
                Ok((_, StandIn::EngineAlone)) if self.workspace.files != Files::Disk => {
                    tried
                        .push("the engine has one that no registry has: `dtbuild build` takes it".to_owned());
                    None
                }
                Ok(found) => Some(found),
                Err(why) => {
                    tried.push(why);
                    None
                }
            };
        }
        match found {
            Some((digest, stand_in)) => {
                self.digests.insert(name.clone(), digest);
                self.stand_ins.insert(name, stand_in);
            }
            None => drop(self.lost.insert(name, tried)),
        }
    }

    /// Whether the engine's own images count: they do where no registry is to be asked, and for builds that stay there.
    fn may_ask_engine(&self) -> bool {
        !self.anew && (self.clients.is_offline() || self.workspace.files == Files::Disk)
    }

    /// Takes the configuration from the engine's own image, where that is the one of the digest.
    pub(super) async fn config_of_engine(&mut self, image: BaseImage, error: Error) {
        let mut tried = vec![error.advice()];
        self.failure.get_or_insert(error);
        if self.may_ask_engine() {
            match self.engine.digest(self.clients, &image.name).await {
                Ok(_) => match self.engine.config(&image) {
                    Some(config) => return drop(self.read.insert(image, Some(config))),
                    None => tried.push("the engine has another image under that name".to_owned()),
                },
                Err(why) => tried.push(why),
            }
        }
        self.lost_configs.insert(image, tried);
    }
}
