//! The steps of a release on its way to its environment. Start with [`ReleaseRun::execute`].
//!
//! Each step is a file here and a line in [`ReleaseRun::before_tags`] or [`ReleaseRun::tags_and_after`]; between the two the
//! record says that a deployment was started.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::Observer;
use super::builds::Builds;
use crate::config::{Environment, ImageName};
use crate::deploy::Release;
use crate::error::Result;
use crate::plan::{DeployDecision, Plan, Reason};
use crate::record::{self, Lease, Outcome, Record, Records, Stored};
use crate::reference::Digest;
use crate::registry::Registry;
use crate::workspace::Workspace;

mod build;
mod check;
mod deploy;
mod record_outcome;
mod tag;

use record_outcome::Ledger;

/// The run of one release to one environment.
pub(super) struct ReleaseRun<'a> {
    /// The workspace of the release.
    pub(super) workspace: &'a Workspace,
    /// The target environment.
    pub(super) environment: &'a Environment,
    /// The plan of the release.
    pub(super) plan: &'a Plan,
    /// The builds of the plan.
    pub(super) builds: Builds,
    /// The client of the registry that has the images and tags.
    pub(super) registry: &'a Registry,
    /// The records that hold the environment's record.
    pub(super) store: &'a Records,
    /// The observer of the run.
    pub(super) observer: &'a Observer,
    /// The time at which the run began.
    pub(super) started: OffsetDateTime,
}

/// The digest of every image of the release.
type Digests = BTreeMap<ImageName, Digest>;

impl ReleaseRun<'_> {
    /// Runs all steps under the lease, and returns the release.
    ///
    /// The record says that a deployment was started before anything changes that the environment sees. The
    /// outcome is recorded last, so the next run knows about a run that was killed in between.
    pub(super) async fn execute(&self, stored: Stored, lease: &mut Lease) -> Result<Release> {
        let mut ledger = Ledger::new(self, stored);
        let digests = match record::hold(self.store, lease, self.before_tags()).await? {
            Ok(digests) => digests,
            Err(error) => {
                let outcome = Outcome::NotBuilt { reason: error.message.clone() };
                ledger.write(outcome, &Digests::new(), lease).await?;
                return Err(error);
            }
        };
        let release = self.release(&digests);
        if self.runs_already(ledger.record(), &digests) {
            return Ok(release);
        }
        if matches!(self.plan.deploy, DeployDecision::Nothing { .. }) {
            // The record comes first: the next run must know that the tags may name this release.
            ledger.write(Outcome::Tagged, &digests, lease).await?;
            record::hold(self.store, lease, self.move_tags(&digests)).await??;
            return Ok(release);
        }
        ledger.write(Outcome::Started, &digests, lease).await?;
        let applied = record::hold(self.store, lease, self.tags_and_after(&digests, &release)).await?;
        let outcome = match &applied {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed { reason: error.message.clone() },
        };
        ledger.write(outcome, &digests, lease).await?;
        applied.map(|()| release)
    }

    /// The steps before anything that the environment sees. A further one, such as a signature, goes over all digests of the
    /// release: an earlier run may have pushed what this one only reuses.
    async fn before_tags(&self) -> Result<Digests> {
        let digests = self.build().await?;
        self.observer.unless_cancelled(self.check(&digests)).await?;
        Ok(digests)
    }

    /// The steps that the environment sees, in their order.
    async fn tags_and_after(&self, digests: &Digests, release: &Release) -> Result<()> {
        self.move_tags(digests).await?;
        self.deploy(release).await
    }

    /// True if the environment runs the built images already. For images with unpinned content, only the digest
    /// tells.
    fn runs_already(&self, record: &Record, digests: &Digests) -> bool {
        let DeployDecision::Deploy { reasons } = &self.plan.deploy else { return false };
        let Some(current) = record.current() else { return false };
        let only_images = reasons.iter().all(|reason| matches!(reason, Reason::ReleaseChanged { .. }));
        let running = current.images.iter().map(|(name, image)| (name, image.reference.digest()));
        only_images && running.eq(digests.iter().map(|(name, digest)| (name, Some(digest))))
    }

    fn release(&self, digests: &Digests) -> Release {
        let pinned = self.plan.images.iter().filter_map(|image| {
            Some((image.name.clone(), image.repository.pinned(digests.get(&image.name)?)))
        });
        Release {
            project: self.workspace.config.project.clone(),
            environment: self.environment.name.clone(),
            commit: self.plan.head.commit().map(str::to_owned),
            images: pinned.collect(),
        }
    }
}
