//! The record as a JSON document with an environment's lease and its deployments. Start with [`Record`].

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::RecordError;
use super::holder::Holder;
use super::storage::Part;
use crate::config::EnvironmentName;
use crate::{inert, random};

mod deployment;
mod newest;
mod older;
mod past;
#[cfg(test)]
mod tests;

pub use deployment::{DeployedImage, Deployment, Outcome};
pub(super) use older::Older;
pub(super) use past::Past;

/// The format that this dtbuild writes, and the newest that it reads.
const FORMAT: u32 = 2;

/// The largest number of deployments that a record keeps, besides the one that the environment runs.
const COUNT_LIMIT: usize = 20;

/// All that is shared about an environment: its lease, its hold, and its newest deployments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// A text that no other write of the record has, by which a writer knows its own write.
    pub(super) nonce: String,
    project: String,
    environment: EnvironmentName,
    /// The number that every taking of the lease raises.
    pub(super) generation: u64,
    /// The run that holds the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) holder: Option<Holder>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Hold>,
    deployments: Vec<Deployment>,
}

/// The reason why an environment stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The reason.
    pub reason: String,
    /// The person or job that set the hold.
    pub by: String,
    /// The time at which it was set.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// The commit that was taken back: only what is newer ends the hold.
    pub newer_than: String,
}

/// The highest generation that is believed: a run a second would take longer than the universe is old.
const MOST_GENERATIONS: u64 = u64::MAX / 2;

impl Record {
    /// The record of an environment without deployments.
    #[must_use]
    pub fn new(project: &str, environment: EnvironmentName) -> Self {
        Self {
            format: FORMAT,
            nonce: random::id(),
            project: project.to_owned(),
            environment,
            generation: 0,
            holder: None,
            hold: None,
            deployments: Vec::new(),
        }
    }

    /// The name of the record's environment.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The number that every taking of the lease raises.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The run that holds the lease; none where nobody does.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// The hold that keeps the environment as it is.
    #[must_use]
    pub fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }

    /// The newest deployments, the newest first.
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

    /// The newest deployment that moved a tag of the environment, or may have.
    #[must_use]
    pub fn newest_touching(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.touched())
    }

    /// True if it is unsure what the environment runs: since the last success, another deployment was begun. A
    /// run that did not touch the environment does not count.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        let mut since =
            self.deployments.iter().take_while(|deployment| deployment.outcome != Outcome::Succeeded);
        since.any(|deployment| deployment.outcome.is_unsure())
    }

    /// True if both records say the same about deployments: the lease aside.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        (&self.hold, &self.deployments) == (&other.hold, &other.deployments)
    }

    /// Adds the newest deployment, or completes the entry of this deployment that was begun.
    pub fn add(&mut self, mut deployment: Deployment) {
        self.deployments.retain(|other| other.id != deployment.id);
        deployment.generation = self.generation;
        deployment.tidy();
        self.deployments.insert(0, deployment);
        let current = self.current_position();
        for (position, deployment) in self.deployments.iter_mut().enumerate() {
            if position != 0 && Some(position) != current {
                deployment.images.values_mut().for_each(|image| image.fields = None);
            }
        }
    }

    /// Sets the hold, or ends it.
    pub fn set_hold(&mut self, hold: Option<Hold>) {
        self.hold = hold.map(|hold| Hold { reason: inert::plain(&hold.reason).into_owned(), ..hold });
    }

    fn current_position(&self) -> Option<usize> {
        self.deployments.iter().position(|deployment| deployment.outcome == Outcome::Succeeded)
    }

    /// Takes out the oldest deployment that is neither the current nor the last one; none where there is none.
    fn take_oldest(&mut self) -> Option<Deployment> {
        let oldest = self.deployments.len().saturating_sub(1);
        let victim = if self.current_position() == Some(oldest) { oldest.saturating_sub(1) } else { oldest };
        (victim > 0).then(|| self.deployments.remove(victim))
    }

    /// The bytes of the record, and the deployments that it had no room for, which are taken out.
    pub(super) fn encode(&mut self, place: &str) -> Result<(Vec<u8>, Vec<Deployment>), RecordError> {
        let mut past = Vec::new();
        while self.deployments.len() > COUNT_LIMIT {
            let Some(oldest) = self.take_oldest() else { break };
            past.push(oldest);
        }
        loop {
            let bytes = pretty(self, place)?;
            if bytes.len() <= Part::Record.size_limit() {
                return Ok((bytes, past));
            }
            let Some(oldest) = self.take_oldest() else {
                return Err(damaged(place, "one deployment is larger than 8 MiB"));
            };
            past.push(oldest);
        }
    }

    /// The record in these bytes; an error where the bytes are no record of this environment.
    pub(super) fn decode(
        bytes: &[u8],
        (project, environment): (&str, &EnvironmentName),
        place: &str,
    ) -> Result<Self, RecordError> {
        let failed = |error: serde_json::Error| damaged(place, &error.to_string());
        check_format(bytes, place)?;
        let mut record: Self = serde_json::from_slice(bytes).map_err(failed)?;
        record.check((project, environment), place)?;
        for deployment in &mut record.deployments {
            deployment.tidy();
            deployment.read_fields().map_err(|fault| damaged(place, &fault))?;
        }
        Ok(record)
    }

    /// Checks that the record is of this environment, and one that dtbuild may have written.
    fn check(
        &self,
        (project, environment): (&str, &EnvironmentName),
        place: &str,
    ) -> Result<(), RecordError> {
        if self.project != project {
            let (found, expected) = (self.project.clone(), project.to_owned());
            return Err(RecordError::OtherProject { place: place.to_owned(), found, expected });
        }
        if self.environment != *environment {
            let fault = format!("it is the record of `{}`, not of `{environment}`", self.environment);
            return Err(damaged(place, &fault));
        }
        if self.generation > MOST_GENERATIONS {
            return Err(damaged(place, "its generation is none that was counted up to"));
        }
        let holder = self.holder.as_ref().and_then(Holder::fault).map(str::to_owned);
        match holder.or_else(|| self.deployments.iter().find_map(Deployment::fault)) {
            Some(fault) => Err(damaged(place, &fault)),
            None => Ok(()),
        }
    }
}

/// Checks that the document is of a format that this dtbuild reads.
fn check_format(bytes: &[u8], place: &str) -> Result<(), RecordError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u64,
    }
    let Versioned { format } =
        serde_json::from_slice(bytes).map_err(|error| damaged(place, &error.to_string()))?;
    match format {
        0 | 1 => Err(damaged(place, &format!("format {format} has another form"))),
        found if found > u64::from(FORMAT) => {
            Err(RecordError::Newer { place: place.to_owned(), found, known: FORMAT })
        }
        _ => Ok(()),
    }
}

/// The document as JSON that a person can read.
fn pretty(document: &impl Serialize, place: &str) -> Result<Vec<u8>, RecordError> {
    let mut bytes = serde_json::to_vec_pretty(document)
        .map_err(|error| damaged(place, &format!("it cannot be written as JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn damaged(place: &str, reason: &str) -> RecordError {
    RecordError::Damaged { place: place.to_owned(), reason: reason.to_owned() }
}
