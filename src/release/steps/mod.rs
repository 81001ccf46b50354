//! The steps of a release on its way to its environment. Start with [`ReleaseRun::execute`].
//!
//! Each step is a file here and a line in [`ReleaseRun::before_tags`] or [`ReleaseRun::tags_and_after`]; between the two the
//! entry of the deployment is begun.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::builds::Builds;
use crate::config::ImageName;
use crate::deploy::Release;
use crate::error::Result;
use crate::plan::{DeployDecision, Plan, Reason};
use crate::record::{Lease, Outcome, Record};
use crate::reference::Digest;

mod act;
mod build;
mod check;
mod deploy;
mod record_outcome;
mod tag;

pub(super) use act::Act;

/// The run of one release to one environment.
pub(super) struct ReleaseRun<'a> {
    /// The means by which the release is brought to its environment.
    pub(super) act: Act<'a>,
    /// The plan of the release.
    pub(super) plan: &'a Plan,
    /// The builds of the plan.
    pub(super) builds: Builds,
    /// The id of the deployment.
    pub(super) id: String,
    /// The time at which the run began.
    pub(super) started: OffsetDateTime,
}

/// The digest of every image of the release.
type Digests = BTreeMap<ImageName, Digest>;

impl ReleaseRun<'_> {
    /// Runs all steps under the lease, and returns the release.
    ///
    /// The entry of the deployment is begun before anything changes that the environment sees, and completed last, so
    /// the next run knows about a run that was killed in between.
    pub(super) async fn execute(&self, lease: &mut Lease) -> Result<Release> {
        let digests = match lease.hold(self.before_tags()).await? {
            Ok(digests) => digests,
            Err(error) => {
                let outcome = Outcome::NotBuilt { reason: error.message.clone() };
                self.finish(lease, outcome, &Digests::new()).await?;
                return Err(error);
            }
        };
        let release = self.release(&digests);
        if self.runs_already(lease.record(), &release) {
            return Ok(release);
        }
        if matches!(self.plan.deploy, DeployDecision::Nothing { .. }) {
            // The record comes first: the next run must know that the tags may name this release.
            lease.add(&self.entry(lease.record(), Outcome::Tagged, &digests)).await?;
            lease.hold(self.act.move_tags(&release)).await??;
            return Ok(release);
        }
        lease.add(&self.entry(lease.record(), Outcome::Started, &digests)).await?;
        let applied = lease.hold(self.tags_and_after(&release)).await?;
        let outcome = match &applied {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed { reason: error.message.clone() },
        };
        self.finish(lease, outcome, &digests).await?;
        applied.map(|()| release)
    }

    /// Completes the entry of the deployment, and gives the lease back.
    async fn finish(&self, lease: &mut Lease, outcome: Outcome, digests: &Digests) -> Result<()> {
        let entry = self.entry(lease.record(), outcome, digests);
        let succeeded = entry.outcome == Outcome::Succeeded;
        let change = |record: &mut Record| {
            record.add(entry.clone());
            if succeeded {
                record.set_hold(None);
            }
        };
        Ok(lease.finish(change).await?)
    }

    /// The steps before anything that the environment sees. A further one, such as a signature, goes over all digests of the
    /// release: an earlier run may have pushed what this one only reuses.
    async fn before_tags(&self) -> Result<Digests> {
        let digests = self.build().await?;
        self.act.observer.unless_cancelled(self.check(&digests)).await?;
        Ok(digests)
    }

    /// The steps that the environment sees, in their order.
    async fn tags_and_after(&self, release: &Release) -> Result<()> {
        self.act.apply(release).await
    }

    /// True if the environment runs the built images already. For images with unpinned content, only the digest
    /// tells.
    fn runs_already(&self, record: &Record, release: &Release) -> bool {
        let DeployDecision::Deploy { reasons } = &self.plan.deploy else { return false };
        let Some(current) = record.current() else { return false };
        let only_images = reasons.iter().all(|reason| matches!(reason, Reason::ReleaseChanged { .. }));
        let running = current.images.iter().map(|(name, image)| (name, &image.reference));
        let vanished = self.plan.images.iter().any(|image| image.reasons.contains(&Reason::Vanished));
        only_images && !vanished && running.eq(release.images.iter())
    }

    fn release(&self, digests: &Digests) -> Release {
        let pinned = self.plan.images.iter().filter_map(|image| {
            Some((image.name.clone(), image.repository.pinned(digests.get(&image.name)?)))
        });
        Release {
            project: self.act.workspace.config.project.clone(),
            environment: self.act.environment.name.clone(),
            commit: self.plan.head.commit().map(str::to_owned),
            images: pinned.collect(),
        }
    }
}
