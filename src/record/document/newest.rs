//! The beginning of a record, which says what an environment runs. Start with [`Record::decode_newest`].
//!
//! A record holds twenty deployments, of which the newest that succeeded is mostly the first. A preview needs no
//! other deployment, and reading all of them would take longer than the rest of the preview.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{Deployment, Hold, Holder, Outcome, Record, RecordError};
use crate::config::EnvironmentName;

/// A record whose deployments end with the newest one that succeeded.
#[derive(serde::Deserialize)]
struct Beginning {
    format: u32,
    nonce: String,
    project: String,
    environment: EnvironmentName,
    generation: u64,
    holder: Option<Holder>,
    hold: Option<Hold>,
    deployments: Newest,
}

/// The deployments down to the newest one that succeeded; all deployments where none succeeded.
struct Newest(Vec<Deployment>);

impl Record {
    /// The record in these bytes, down to the deployment that the environment runs; older deployments are left
    /// out. For callers that ask what the environment runs and write nothing.
    pub(in crate::record) fn decode_newest(
        bytes: &[u8],
        of: (&str, &EnvironmentName),
        place: &str,
    ) -> Result<Self, RecordError> {
        // Decoding the whole record describes the damage.
        let whole = || Self::decode(bytes, of, place);
        let Ok(beginning) = serde_json::from_slice::<Beginning>(bytes) else { return whole() };
        let Beginning { format, nonce, project, environment, generation, holder, hold, deployments } =
            beginning;
        let deployments = deployments.0;
        let mut record = Self { format, nonce, project, environment, generation, holder, hold, deployments };
        record.deployments.iter_mut().for_each(Deployment::tidy);
        let is_sound = format == super::FORMAT && record.check(of, place).is_ok();
        if is_sound { Ok(record) } else { whole() }
    }
}

impl<'de> Deserialize<'de> for Newest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Newest;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of deployments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Newest, A::Error> {
                let mut newest = Newest(Vec::new());
                while let Some(deployment) = list.next_element::<Deployment>()? {
                    let is_current = deployment.outcome == Outcome::Succeeded;
                    newest.0.push(deployment);
                    if is_current {
                        break;
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(newest)
            }
        }

        deserializer.deserialize_seq(List)
    }
}
