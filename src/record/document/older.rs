//! Records of format 1, which carry over into a record of today. Start with [`Older`].

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Deployment, Record, RecordError, damaged};
use crate::config::EnvironmentName;
use crate::reference::Repository;

/// A record of format 1: it does not say whose it is, and the lease was a document of its own.
#[derive(Deserialize)]
pub(in crate::record) struct Older {
    version: u32,
    environment: EnvironmentName,
    deployments: Vec<Deployment>,
}

impl Older {
    /// The record with the older one's deployments that belong to the project: those with an image in one of its
    /// repositories, and those without images. None where no image at all is in one of them.
    pub(in crate::record) fn carry_over(
        bytes: &[u8],
        (project, environment): (&str, &EnvironmentName),
        repositories: &BTreeSet<Repository>,
        place: &str,
    ) -> Result<Option<Record>, RecordError> {
        let failed = |error: serde_json::Error| damaged(place, &error.to_string());
        let older: Self = serde_json::from_slice(bytes).map_err(failed)?;
        if older.version != 1 || older.environment != *environment {
            return Err(damaged(place, &format!("it is no record of `{environment}`")));
        }
        let is_ours = |deployment: &Deployment| {
            deployment.images.values().any(|image| repositories.contains(image.reference.repository()))
        };
        let mut record = Record::new(project, environment.clone());
        record.deployments = older.deployments;
        record.deployments.retain(|deployment| deployment.images.is_empty() || is_ours(deployment));
        if !record.deployments.iter().any(is_ours) {
            return Ok(None);
        }
        record.generation = record.deployments.len() as u64;
        for (generation, deployment) in (1..).zip(record.deployments.iter_mut().rev()) {
            deployment.generation = generation;
            deployment.tidy();
            deployment.read_fields().map_err(|fault| damaged(place, &fault))?;
        }
        record.check((project, environment), place)?;
        Ok(Some(record))
    }
}
