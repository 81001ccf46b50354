//! The beginning of a record, which says what an environment runs. Start with [`Record::decode_newest`].
//!
//! A record holds a hundred deployments, of which the newest that succeeded is mostly the first. A preview needs no
//! other deployment, and reading all of them would take longer than the rest of the preview.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{Deployment, Outcome, Record, RecordError, SIZE_LIMIT};
use crate::config::EnvironmentName;

/// A record whose deployments end with the newest one that succeeded.
#[derive(serde::Deserialize)]
struct Beginning {
    version: u32,
    environment: EnvironmentName,
    deployments: Newest,
}

/// The deployments down to the newest one that succeeded; all deployments where none succeeded.
struct Newest {
    read: Vec<Deployment>,
    /// The number of all deployments, with those that were passed over.
    count: usize,
}

impl Record {
    /// The record in these bytes, down to the deployment that the environment runs; older deployments are left
    /// out. For callers that ask what the environment runs and write nothing.
    pub(in crate::record) fn decode_newest(
        bytes: &[u8],
        environment: &EnvironmentName,
        place: &str,
    ) -> Result<Self, RecordError> {
        // Decoding the whole record describes the damage.
        let whole = || Self::decode(bytes, environment, place);
        if bytes.len() > SIZE_LIMIT {
            return whole();
        }
        let Ok(Beginning { version, environment: own, deployments }) = serde_json::from_slice(bytes) else {
            return whole();
        };
        let mut record = Self { version, environment: own, deployments: deployments.read };
        record.deployments.iter_mut().for_each(|deployment| super::tidy(&mut deployment.outcome));
        let is_sound = version <= super::VERSION
            && deployments.count <= super::COUNT_LIMIT
            && record.fault(environment).is_none();
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
                let mut newest = Newest { read: Vec::new(), count: 0 };
                while let Some(deployment) = list.next_element::<Deployment>()? {
                    newest.count += 1;
                    let is_current = deployment.outcome == Outcome::Succeeded;
                    newest.read.push(deployment);
                    if is_current {
                        break;
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    newest.count += 1;
                }
                Ok(newest)
            }
        }

        deserializer.deserialize_seq(List)
    }
}
