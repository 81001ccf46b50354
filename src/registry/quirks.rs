//! What this run learnt of how registries answer: [`Quirks`], so that each peculiarity is met once per registry.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Host;

/// A peculiarity of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quirk {
    /// The registry refuses HEAD of a manifest, or answers it with 404, where GET works.
    NoHead,
    /// The registry has answered HEAD with a manifest, so its 404 to HEAD means that there is none.
    KnowsHead,
    /// The registry refuses artifacts of unknown types.
    NoArtifacts,
}

/// The peculiarities of registries, by the registry's name.
#[derive(Debug, Default)]
pub(super) struct Quirks(Mutex<BTreeSet<(String, Quirk)>>);

impl Quirks {
    /// True if the registry has shown this peculiarity in this run.
    pub(super) fn has(&self, host: &Host, quirk: Quirk) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(host.name.clone(), quirk))
    }

    /// Notes a peculiarity of a registry.
    pub(super) fn note(&self, host: &Host, quirk: Quirk) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((host.name.clone(), quirk));
    }
}
