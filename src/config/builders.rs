//! The engines that build published images: `[[builders]]`. Start with [`Builder`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::validate::Validator;
use super::{ConfigError, Platform};

/// The number of builds that run on a builder at a time unless its table says otherwise.
const JOBS: u16 = 4;

/// An engine that builds published images.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuilderTable {
    /// The builder's name, for messages; it also decides which images the builder builds.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The builder's address: `unix:///path`, `tcp://host:port` or `ssh://user@host` for Docker; for a
    /// buildkitd, such an address after `buildkit+`.
    #[schemars(with = "String")]
    pub address: Spanned<String>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, for TLS; absolute, or from the repository's root.
    #[schemars(with = "Option<String>")]
    pub certificates: Option<Spanned<String>>,
    /// The platforms that the builder builds for; any platform when left out.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub platforms: Vec<Spanned<String>>,
    /// The number of builds that run on the builder at a time; 4 when left out.
    #[schemars(with = "Option<u16>")]
    pub jobs: Option<Spanned<u16>>,
}

/// An engine that `build.toml` declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// The builder's name.
    pub name: String,
    /// The builder's address, in the form of `DTBUILD_ENGINE`.
    pub address: String,
    /// The folder of the builder's certificates; absolute, or from the repository's root.
    pub certificates: Option<PathBuf>,
    /// The platforms that the builder builds for; empty for any platform.
    pub platforms: Vec<Platform>,
    /// The number of builds that run on the builder at a time.
    pub jobs: u16,
}

impl Validator<'_> {
    /// Checks everything about the builders that can be known without asking the engines.
    pub(super) fn builders(&self, tables: Vec<BuilderTable>) -> Result<Vec<Builder>, ConfigError> {
        let mut builders: Vec<Builder> = Vec::with_capacity(tables.len());
        for table in tables {
            let name = table.name.get_ref();
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(self.error(&table.name, "a builder's name is a line of text"));
            }
            if builders.iter().any(|other| other.name == *name) {
                return Err(self
                    .error(&table.name, format!("two builders are named `{name}`"))
                    .hint("give one of them another name"));
            }
            let address = table.address.get_ref();
            if !address.contains("://") {
                return Err(self
                    .error(&table.address, format!("`{address}` is not an engine's address"))
                    .hint("write `unix:///path`, `tcp://host:port` or `ssh://user@host`; `buildkit+` in front for a buildkitd"));
            }
            if let Some(none) = table.jobs.as_ref().filter(|jobs| *jobs.get_ref() == 0) {
                return Err(self
                    .error(none, format!("the builder `{name}` has no jobs"))
                    .hint("leave it out of the file, or give it at least one"));
            }
            let platforms = table.platforms.iter().map(|platform| self.platform(platform));
            builders.push(Builder {
                name: name.clone(),
                address: address.clone(),
                certificates: table.certificates.map(|folder| folder.into_inner().into()),
                platforms: platforms.collect::<Result<_, _>>()?,
                jobs: table.jobs.map_or(JOBS, Spanned::into_inner),
            });
        }
        Ok(builders)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    fn parse(builders: &str) -> Result<Config, ConfigError> {
        let text = "[project]\nname = \"p\"\nregistry = \"r.example.com\"\n[images.a]\ncontext = \"a\"\n";
        Config::parse(&format!("{text}{builders}"), None)
    }

    #[test]
    fn a_builder_has_an_address_and_sensible_limits() {
        let config = parse(
            "[[builders]]\nname = \"big\"\naddress = \"buildkit+tcp://build.lan:1234\"\ncertificates = \"certs\"\n\
             platforms = [\"linux/arm64\"]\njobs = 8\n[[builders]]\nname = \"own\"\naddress = \"unix:///s\"\n",
        )
        .unwrap();
        let [big, own] = &config.builders[..] else { panic!("two builders") };
        assert_eq!((big.jobs, big.platforms[0].as_str()), (8, "linux/arm64"));
        assert_eq!(big.certificates.as_deref(), Some("certs".as_ref()));
        assert_eq!((own.jobs, own.platforms.len()), (4, 0));
    }

    #[test]
    fn what_no_engine_can_be_is_an_error_with_its_line() {
        for (builders, line, message) in [
            ("[[builders]]\nname = \"\"\naddress = \"unix:///s\"\n", 7, "a builder's name is a line of text"),
            ("[[builders]]\nname = \"a\"\naddress = \"here\"\n", 8, "`here` is not an engine's address"),
            ("[[builders]]\nname = \"a\"\naddress = \"unix:///s\"\njobs = 0\n", 9, "has no jobs"),
            (
                "[[builders]]\nname = \"a\"\naddress = \"unix:///s\"\nplatforms = [\"arm\"]\n",
                9,
                "`arm` is not a platform",
            ),
            (
                "[[builders]]\nname = \"a\"\naddress = \"unix:///s\"\n[[builders]]\nname = \"a\"\naddress = \"unix:///t\"\n",
                10,
                "two builders are named `a`",
            ),
            ("[[builders]]\nname = \"a\"\nadress = \"unix:///s\"\n", 8, "unknown field `adress`"),
        ] {
            let error = parse(builders).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.message.contains(message), "{error}");
        }
    }
}
