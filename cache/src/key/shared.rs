//! The fields of a key in a form that is cheap to hold, for callers that hold many and look into few: a plan
//! of two hundred images names the cause of one. Start with [`SharedFields`].

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::KeyFields;

/// The fields of a key, cheap to clone: either as this run computed them, or as the JSON of a record, which
/// is parsed only when somebody asks.
///
/// As JSON they are [`KeyFields`], without white space if this run computed them.
#[derive(Clone, Debug)]
pub struct SharedFields(Held);

#[derive(Clone, Debug)]
enum Held {
    Known(Arc<KeyFields>),
    /// Any JSON value; only [`SharedFields::read`] finds out if it is the JSON of fields.
    Recorded(Arc<RawValue>),
}

impl SharedFields {
    /// The fields of a key of which no fields are recorded.
    #[must_use]
    pub fn unknown() -> Self {
        Self(Held::Recorded(RawValue::NULL.to_owned().into()))
    }

    /// True if fields are recorded, whether or not they can be read.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        !matches!(&self.0, Held::Recorded(text) if text.get() == RawValue::NULL.get())
    }

    /// The fields; none if the record has something else in their place.
    #[must_use]
    pub fn read(&self) -> Option<Arc<KeyFields>> {
        match &self.0 {
            Held::Known(fields) => Some(Arc::clone(fields)),
            Held::Recorded(text) => serde_json::from_str(text.get()).ok().map(Arc::new),
        }
    }
}

impl From<KeyFields> for SharedFields {
    fn from(fields: KeyFields) -> Self {
        Self(Held::Known(Arc::new(fields)))
    }
}

impl From<Arc<KeyFields>> for SharedFields {
    fn from(fields: Arc<KeyFields>) -> Self {
        Self(Held::Known(fields))
    }
}

impl PartialEq for SharedFields {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl Eq for SharedFields {}

impl Serialize for SharedFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Held::Known(fields) => {
                to_raw_value(&**fields).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
            Held::Recorded(text) => text.serialize(serializer),
        }
    }
}

impl JsonSchema for SharedFields {
    fn schema_name() -> Cow<'static, str> {
        KeyFields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        KeyFields::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for SharedFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self(Held::Recorded(text.into())))
    }
}
