//! The entry of the release in the environment's record.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Digests, ReleaseRun};
use crate::plan::{PlannedImage, Reason};
use crate::record::{DeployedImage, Deployment, Outcome, Record};

impl ReleaseRun<'_> {
    /// The entry of this run's deployment, to be begun in the record, or completed, with this outcome.
    pub(super) fn entry(&self, record: &Record, outcome: Outcome, digests: &Digests) -> Deployment {
        let running = record.current();
        let images = self.plan.images.iter().filter_map(|image| {
            if let Some(kept) = running.and_then(|running| left_out(image, running)) {
                return Some((image.name.clone(), kept));
            }
            let reference = image.repository.pinned(digests.get(&image.name)?);
            let fields = Some(image.fields.clone());
            Some((image.name.clone(), DeployedImage { reference, key: image.key, fields, commit: None }))
        });
        let goes_on = outcome == Outcome::Started;
        Deployment {
            id: self.id.clone(),
            generation: record.generation(),
            commit: self.plan.head.commit().map(str::to_owned),
            started: self.started,
            finished: (!goes_on).then(OffsetDateTime::now_utc),
            outcome,
            images: if digests.is_empty() { BTreeMap::new() } else { images.collect() },
            deploy: self.act.environment.deploy.as_ref().map(|deploy| deploy.trigger.kind().to_owned()),
            deploy_inputs: self.plan.deploy_inputs.clone(),
            deploy_settings: self.plan.deploy_settings.clone(),
            again: None,
            by: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// The recorded image of the running deployment, with the commit it was deployed from, if the run left the
/// image out.
fn left_out(image: &PlannedImage, running: &Deployment) -> Option<DeployedImage> {
    let kept = running.images.get(&image.name).filter(|_| image.reasons.contains(&Reason::LeftOut))?;
    let commit = kept.commit.clone().or_else(|| running.commit.clone());
    Some(DeployedImage { commit, ..kept.clone() })
}
