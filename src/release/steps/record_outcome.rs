//! The step that writes the outcome of the release into the environment's record. Start with [`Ledger`].

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Digests, ReleaseRun};
use crate::error::Result;
use crate::plan::{PlannedImage, Reason};
use crate::record::{DeployedImage, Deployment, Lease, Outcome, Record, Stored};

/// The environment's record while a run adds its deployment.
pub(super) struct Ledger<'a> {
    run: &'a ReleaseRun<'a>,
    stored: Stored,
}

impl<'a> Ledger<'a> {
    /// The ledger of a run over the record that it read.
    pub(super) fn new(run: &'a ReleaseRun<'a>, stored: Stored) -> Self {
        Self { run, stored }
    }

    /// The record as it was last read or written.
    pub(super) fn record(&self) -> &Record {
        &self.stored.record
    }

    /// Adds the deployment of this run to the record with this outcome, or replaces it, and writes the record.
    pub(super) async fn write(&mut self, outcome: Outcome, digests: &Digests, lease: &Lease) -> Result<()> {
        let run = self.run;
        let running = self.stored.record.current();
        let images = run.plan.images.iter().filter_map(|image| {
            if let Some(kept) = running.and_then(|running| left_out(image, running)) {
                return Some((image.name.clone(), kept));
            }
            let reference = image.repository.pinned(digests.get(&image.name)?);
            let fields = Some(image.fields.clone());
            Some((image.name.clone(), DeployedImage { reference, key: image.key, fields, commit: None }))
        });
        let images = if digests.is_empty() { BTreeMap::new() } else { images.collect() };
        self.stored.record.add(Deployment {
            id: Deployment::name(run.started),
            commit: run.plan.head.commit().map(str::to_owned),
            started: run.started,
            finished: OffsetDateTime::now_utc(),
            outcome,
            images,
            deploy: run.environment.deploy.as_ref().map(|deploy| deploy.trigger.kind().to_owned()),
            deploy_inputs: run.plan.deploy_inputs.clone(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
        });
        self.stored.revision = run.store.write(&self.stored.record, &self.stored.revision, lease).await?;
        Ok(())
    }
}

/// The recorded image of the running deployment, with the commit it was deployed from, if the run left the
/// image out.
fn left_out(image: &PlannedImage, running: &Deployment) -> Option<DeployedImage> {
    let kept = running.images.get(&image.name).filter(|_| image.reasons.contains(&Reason::LeftOut))?;
    let commit = kept.commit.clone().or_else(|| running.commit.clone());
    Some(DeployedImage { commit, ..kept.clone() })
}
