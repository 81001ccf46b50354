//! A deployment that its record has no room for any more, as a document that never changes. Start with [`Past`].

use serde::{Deserialize, Serialize};

use super::{Deployment, FORMAT, RecordError, check_format, damaged, pretty};
use crate::config::EnvironmentName;

/// A deployment with the environment that it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::record) struct Past {
    format: u32,
    project: String,
    environment: EnvironmentName,
    deployment: Deployment,
}

impl Past {
    /// The bytes of a deployment's own document.
    pub(in crate::record) fn encode(
        (project, environment): (&str, &EnvironmentName),
        deployment: &Deployment,
        place: &str,
    ) -> Result<Vec<u8>, RecordError> {
        let (project, environment) = (project.to_owned(), environment.clone());
        let past = Self { format: FORMAT, project, environment, deployment: deployment.clone() };
        pretty(&past, place)
    }

    /// The deployment in these bytes; an error where they are of another project or environment.
    pub(in crate::record) fn decode(
        bytes: &[u8],
        (project, environment): (&str, &EnvironmentName),
        place: &str,
    ) -> Result<Deployment, RecordError> {
        check_format(bytes, place)?;
        let mut past: Self =
            serde_json::from_slice(bytes).map_err(|error| damaged(place, &error.to_string()))?;
        if (past.project.as_str(), &past.environment) != (project, environment) {
            let reason = format!("it is of `{}` of the project `{}`", past.environment, past.project);
            return Err(damaged(place, &reason));
        }
        past.deployment.tidy();
        match past.deployment.fault() {
            Some(fault) => Err(damaged(place, &fault)),
            None => Ok(past.deployment),
        }
    }
}
