//! The differences between two versions of `build.lock`. Start with [`LockChange`].

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::Lock;
use crate::reference::Digest;

/// A difference from an earlier `build.lock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum LockChange {
    /// A base image is new.
    Added {
        /// The base image's name, as Dockerfiles have it.
        name: String,
        /// The base image's digest.
        digest: Digest,
    },
    /// No Dockerfile names the base image any more.
    Dropped {
        /// The base image's name.
        name: String,
    },
    /// The name of a base image stands for another digest.
    Moved {
        /// The base image's name.
        name: String,
        /// The earlier digest.
        old: Digest,
        /// The new digest.
        new: Digest,
    },
    /// The configurations of base images are read for other platforms.
    Platforms {
        /// All platforms of the new lock.
        platforms: BTreeSet<String>,
    },
    /// The ONBUILD instructions and variables of a base image became known, or are read anew.
    Configured {
        /// The base image's name.
        name: String,
    },
}

impl Lock {
    /// The base images that were added, dropped or moved since `old`, sorted by name.
    #[must_use]
    pub fn moved_since(&self, old: &Self) -> Vec<LockChange> {
        let names: BTreeSet<&String> = old.bases.keys().chain(self.bases.keys()).collect();
        let digest = |lock: &Self, name: &String| lock.bases.get(name).map(|base| base.digest.clone());
        let change = |name: &String| match (digest(old, name), digest(self, name)) {
            (None, Some(digest)) => Some(LockChange::Added { name: name.clone(), digest }),
            (Some(_), None) => Some(LockChange::Dropped { name: name.clone() }),
            (Some(old), Some(new)) if old != new => Some(LockChange::Moved { name: name.clone(), old, new }),
            _ => None,
        };
        names.into_iter().filter_map(change).collect()
    }

    /// The further differences from `old`: the platforms, and the configurations of base images that did not
    /// move.
    #[must_use]
    pub fn completed_since(&self, old: &Self) -> Vec<LockChange> {
        let mut changes = Vec::new();
        if old.platforms != self.platforms {
            changes.push(LockChange::Platforms { platforms: self.platforms.clone() });
        }
        for (name, base) in &self.bases {
            let same = old.bases.get(name).filter(|old| old.digest == base.digest);
            if same.is_some_and(|old| old.configs != base.configs) {
                changes.push(LockChange::Configured { name: name.clone() });
            }
        }
        changes
    }
}
