//! Types that are texts to everybody else: JSON and TOML have them as strings. Start with [`as_text`].

/// Gives types serde's traits by their `FromStr` and `Display`.
macro_rules! as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                dtbuild_content::text::read(deserializer)
            }
        }
    )+};
}

pub(crate) use as_text;
