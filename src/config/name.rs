//! Names of images and environments: [`ImageName`] and [`EnvironmentName`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::text::as_text;

/// A text that is no name of an image or an environment.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a name: use lower-case letters, digits, `-`, `_` and `.`, a letter or digit first, at most 64"
)]
pub struct NameError(String);

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_name(text) { Ok(Self(text.into())) } else { Err(NameError(text.to_owned())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        as_text!($name);
    )+};
}

names!(
    /// The name of an image in `build.toml`; part of its repository's path.
    ImageName,
    /// The name of an environment in `build.toml`; also the environment's tag unless a tag is given.
    EnvironmentName
);

impl ImageName {
    /// The variable that tells a deployment the image's reference: `DTBUILD_IMAGE_WEB_API` for `web-api`.
    #[must_use]
    pub fn variable(&self) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        format!("DTBUILD_IMAGE_{}", self.0.chars().map(letter).collect::<String>())
    }
}

fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = |byte: u8| letter(byte) || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().next().is_some_and(letter) && text.len() <= 64 && text.bytes().all(rest)
}
