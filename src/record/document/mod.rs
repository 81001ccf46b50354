//! The record as a JSON document with an environment's deployments, the newest first. Start with [`Record`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};

use super::RecordError;
use dtbuild_content::key::{ImageKey, SharedFields};

use crate::config::{EnvironmentName, ImageName};
use crate::reference::Reference;
use crate::{inert, random};

mod newest;
#[cfg(test)]
mod tests;

/// The version of the format that this dtbuild writes, and the newest that it reads.
const VERSION: u32 = 1;

/// The largest record that is read or written, in bytes.
pub(super) const SIZE_LIMIT: usize = 8 * 1024 * 1024;

/// The largest number of deployments that a record keeps.
const COUNT_LIMIT: usize = 100;

/// The longest reason of a failure that is kept, in characters.
const REASON_LIMIT: usize = 2000;

/// The deployments of an environment: the release that it runs, and those that it has run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    environment: EnvironmentName,
    deployments: Vec<Deployment>,
}

/// A release that was applied to an environment, or was to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The deployment's id, which no other deployment has; see [`Deployment::name`].
    pub id: String,
    /// The commit's id; none for the working tree.
    pub commit: Option<String>,
    /// The time at which the run began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The time at which the deployment ended.
    #[serde(with = "time::serde::rfc3339")]
    pub finished: OffsetDateTime,
    /// The outcome of the deployment.
    pub outcome: Outcome,
    /// The images of the release by name.
    pub images: BTreeMap<ImageName, DeployedImage>,
    /// The kind of trigger, such as `ansible`; none when only tags were moved.
    pub deploy: Option<String>,
    /// The digest of the files that the deployment itself read, such as the playbook; none when no such files
    /// are declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_inputs: Option<String>,
    /// The version of dtbuild that deployed.
    pub by: String,
}

/// The outcome of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// The environment runs the release.
    Succeeded,
    /// The deployment failed. The environment may run the release, the one before, or some of both.
    Failed {
        /// The reason of the failure.
        reason: String,
    },
    /// An image of the release could not be built or pushed. The environment was not touched.
    NotBuilt {
        /// The reason of the failure.
        reason: String,
    },
    /// The tags of the environment were moved, and the deployment was left to another program (`--no-deploy`),
    /// which alone knows what the environment runs.
    Tagged,
    /// The run of the deployment is going on, or was killed: it is as unsure as after a failure what the
    /// environment runs.
    Started,
}

impl Outcome {
    /// True if the outcome leaves it unsure what the environment runs.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Tagged | Self::Started)
    }
}

/// An image of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedImage {
    /// The reference that was deployed, pinned by digest.
    pub reference: Reference,
    /// The image's content key.
    pub key: ImageKey,
    /// The fields that the key was computed from, to explain the next rebuild. The fields are kept for the
    /// current and the last deployment only: a hundred deployments of three hundred images would outgrow every
    /// bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<SharedFields>,
    /// The commit that the image was deployed from, where that is not its deployment's commit: `--only` left
    /// the image as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Deployment {
    /// A new id for a deployment that began at this time: the time in UTC, and a random part that makes the id
    /// unique.
    #[must_use]
    pub fn name(started: OffsetDateTime) -> String {
        let at = started.to_offset(UtcOffset::UTC);
        let (date, time) = (at.date(), at.time());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let unique = random::id();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{}", &unique[..8])
    }
}

impl Record {
    /// The record of an environment without deployments.
    #[must_use]
    pub fn new(environment: EnvironmentName) -> Self {
        Self { version: VERSION, environment, deployments: Vec::new() }
    }

    /// The name of the record's environment.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The deployments, the newest first; at most 100.
    #[must_use]
    pub fn deployments(&self) -> &[Deployment] {
        &self.deployments
    }

    /// The deployment that the environment runs: the newest one that succeeded.
    #[must_use]
    pub fn current(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.outcome == Outcome::Succeeded)
    }

    /// The newest deployment, whatever its outcome.
    #[must_use]
    pub fn last(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    /// True if it is unsure what the environment runs: since the last success, another deployment was begun. A
    /// run that did not touch the environment does not count.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        let mut since =
            self.deployments.iter().take_while(|deployment| deployment.outcome != Outcome::Succeeded);
        since.any(|deployment| deployment.outcome.is_unsure())
    }

    /// Adds the newest deployment, or replaces an earlier state of this deployment, and removes the oldest
    /// deployments above the limit. The deployment that the environment runs is never removed.
    pub fn add(&mut self, mut deployment: Deployment) {
        self.deployments.retain(|other| other.id != deployment.id);
        deployment.started = deployment.started.to_offset(UtcOffset::UTC);
        deployment.finished = deployment.finished.to_offset(UtcOffset::UTC);
        tidy(&mut deployment.outcome);
        self.deployments.insert(0, deployment);
        while self.deployments.len() > COUNT_LIMIT {
            self.forget_one();
        }
        let current = self.current_position();
        for (position, deployment) in self.deployments.iter_mut().enumerate() {
            if position != 0 && Some(position) != current {
                deployment.images.values_mut().for_each(|image| image.fields = None);
            }
        }
    }

    fn current_position(&self) -> Option<usize> {
        self.deployments.iter().position(|deployment| deployment.outcome == Outcome::Succeeded)
    }

    /// Removes the oldest deployment that is neither the current nor the last one; false where there is none.
    fn forget_one(&mut self) -> bool {
        let oldest = self.deployments.len().saturating_sub(1);
        let victim = if self.current_position() == Some(oldest) { oldest.saturating_sub(1) } else { oldest };
        if victim == 0 {
            return false;
        }
        self.deployments.remove(victim);
        true
    }

    /// The bytes of the record; the oldest deployments are left out where the record would be too large.
    pub(super) fn encode(&self, place: &str) -> Result<Vec<u8>, RecordError> {
        let mut record = self.clone();
        loop {
            let mut bytes = serde_json::to_vec_pretty(&record)
                .map_err(|error| damaged(place, &format!("it cannot be written as JSON: {error}")))?;
            bytes.push(b'\n');
            if bytes.len() <= SIZE_LIMIT {
                return Ok(bytes);
            }
            let count = record.deployments.len();
            let fitting = (count * SIZE_LIMIT / bytes.len()).min(count.saturating_sub(1));
            while record.deployments.len() > fitting {
                if !record.forget_one() {
                    return Err(damaged(place, "one deployment is larger than 8 MiB"));
                }
            }
        }
    }

    /// The record in these bytes; an error where the bytes are no record of this environment.
    pub(super) fn decode(
        bytes: &[u8],
        environment: &EnvironmentName,
        place: &str,
    ) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let failed = |error: serde_json::Error| damaged(place, &error.to_string());
        if bytes.len() > SIZE_LIMIT {
            return Err(damaged(place, "it is larger than 8 MiB"));
        }
        let Versioned { version } = serde_json::from_slice(bytes).map_err(failed)?;
        if version > u64::from(VERSION) {
            return Err(RecordError::Newer { place: place.to_owned(), found: version, known: VERSION });
        }
        let mut record: Self = serde_json::from_slice(bytes).map_err(failed)?;
        record.deployments.iter_mut().for_each(|deployment| tidy(&mut deployment.outcome));
        match record.fault(environment).or_else(|| record.read_fields().err()) {
            Some(fault) => Err(damaged(place, &fault)),
            None => Ok(record),
        }
    }

    /// Reads the fields of the keys, so that only checked fields are written again.
    fn read_fields(&mut self) -> Result<(), String> {
        for (name, image) in self.deployments.iter_mut().flat_map(|deployment| &mut deployment.images) {
            let Some(fields) = &mut image.fields else { continue };
            let read = fields.read().ok_or_else(|| {
                format!("what the key of image `{name}` was taken from is not told as it should be")
            })?;
            *fields = read.into();
        }
        Ok(())
    }

    /// The first fault of the record; none for a record of this environment that dtbuild may have written.
    fn fault(&self, environment: &EnvironmentName) -> Option<String> {
        if self.version == 0 {
            return Some("there is no version 0".to_owned());
        }
        if self.environment != *environment {
            return Some(format!("it is the record of `{}`, not of `{environment}`", self.environment));
        }
        if self.deployments.len() > COUNT_LIMIT {
            return Some(format!("it has more than {COUNT_LIMIT} deployments"));
        }
        self.deployments.iter().find_map(Deployment::fault)
    }
}

impl Deployment {
    fn fault(&self) -> Option<String> {
        let texts = [Some(&self.id), self.commit.as_ref(), self.deploy.as_ref(), Some(&self.by)];
        let texts = texts.into_iter().chain(self.images.values().map(|image| image.commit.as_ref()));
        let plain =
            |text: &String| text.len() <= 200 && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if !texts.flatten().all(plain) {
            return Some("a deployment's id, commit, trigger or version is no plain text".to_owned());
        }
        let unpinned = self.images.iter().find(|(_, image)| image.reference.digest().is_none());
        unpinned.map(|(name, image)| format!("image `{name}` is not pinned by digest: `{}`", image.reference))
    }
}

/// Cuts the reason of a failure to its limit and makes it plain text: a reason may quote a program's output,
/// and no character of it may move a cursor.
fn tidy(outcome: &mut Outcome) {
    if let Outcome::Failed { reason } | Outcome::NotBuilt { reason } = outcome {
        let lines: Vec<_> = reason.split('\n').map(inert::plain).collect();
        *reason = lines.join("\n").chars().take(REASON_LIMIT).collect();
    }
}

fn damaged(place: &str, reason: &str) -> RecordError {
    RecordError::Damaged { place: place.to_owned(), reason: reason.to_owned() }
}
