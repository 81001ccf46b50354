//! `build.lock`: the base images, committed, as `Cargo.lock` is. Start with [`Lock`].
//!
//! TOML with one base image a line, sorted, so that two branches that lock different images merge:
//!
//! ```toml
//! version = 2
//! platforms = ["linux/amd64"]
//!
//! [bases]
//! "nginx:1.29" = "sha256:..."
//! "node:22-onbuild" = { digest = "sha256:...", onbuild = ["COPY . /app"] }
//! ```
//!
//! An entry with a digest alone says that the base image has no ONBUILD instructions on any of the platforms.
//! Files of version 1 have digests only and say nothing about ONBUILD instructions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};
use toml::{Spanned, Value};

use super::error::{ConfigError, Lines};
use crate::reference::Digest;

/// The name of the lock's file, at the repository's root.
pub const FILE_NAME: &str = "build.lock";

const VERSION: u32 = 2;

const HEADER: &str = "\
# The base images that the Dockerfiles name. Written by `dtbuild lock`; commit it.
# `dtbuild lock --update` moves them to what the registries serve now.
";

/// The base images that `build.lock` fixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The platforms that the base images' configurations were read for.
    pub platforms: BTreeSet<String>,
    /// The fixed base images, by the names that the Dockerfiles use.
    pub bases: BTreeMap<String, LockedBase>,
}

/// A base image as `build.lock` fixes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedBase {
    /// The base image's digest.
    pub digest: Digest,
    /// The base image's configurations.
    pub configs: LockedConfigs,
}

/// The configurations of a base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockedConfigs {
    /// One configuration for all of the lock's platforms.
    Same(LockedConfig),
    /// One configuration per platform; a platform without one is a platform for which none could be told.
    Each(BTreeMap<String, LockedConfig>),
}

/// The part of a base image's configuration that builds on this base image depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedConfig {
    /// The ONBUILD instructions, which the build replays.
    #[serde(default)]
    pub onbuild: Vec<String>,
    /// All variables that the base image sets, except `PATH`; none where no Dockerfile had a use for them.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: Spanned<u32>,
    #[serde(default)]
    platforms: BTreeSet<String>,
    #[serde(default)]
    bases: BTreeMap<Spanned<String>, LockedBase>,
}

/// The entry of a base image that is more than a digest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    digest: Digest,
    #[serde(default)]
    onbuild: Vec<String>,
    env: Option<BTreeMap<String, String>>,
    platforms: Option<BTreeMap<String, LockedConfig>>,
}

impl Lock {
    /// Reads the text of a `build.lock`.
    ///
    /// # Errors
    /// Fails when the text is no `build.lock`, or was written by a newer dtbuild.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let file: LockFile =
            toml::from_str(text).map_err(|error| ConfigError::from_toml(FILE_NAME, text, &error))?;
        let version = *file.version.get_ref();
        if !(1..=VERSION).contains(&version) {
            return Err(ConfigError::new(FILE_NAME, format!("version {version} is not known"))
                .at(&Lines::of(text), file.version.span().start)
                .hint(format!(
                    "this dtbuild reads versions 1 to {VERSION}; use the one that wrote the file"
                )));
        }
        let own = |name: &str| name.split_once('@').map(|(_, digest)| digest.to_owned());
        let differs =
            |base: &LockedBase, name: &str| own(name).is_some_and(|own| own != base.digest.as_str());
        if let Some((name, _)) = file.bases.iter().find(|(name, base)| differs(base, name.get_ref())) {
            return Err(ConfigError::new(
                FILE_NAME,
                format!("`{}` has another digest than its name says", name.get_ref()),
            )
            .at(&Lines::of(text), name.span().start)
            .hint("run `dtbuild lock` on a file without that line"));
        }
        let platforms = if version == 1 { BTreeSet::new() } else { file.platforms };
        let bases = file.bases.into_iter().map(|(name, base)| (name.into_inner(), base)).collect();
        Ok(Self { platforms, bases })
    }

    /// The fixed configuration of the base image `name` for a platform; none where `digest` is not the fixed
    /// digest, or the lock has no configuration for the platform.
    #[must_use]
    pub fn config(&self, name: &str, digest: &Digest, platform: &str) -> Option<&LockedConfig> {
        let base = self.bases.get(name).filter(|base| base.digest == *digest)?;
        if !self.platforms.contains(platform) {
            return None;
        }
        match &base.configs {
            LockedConfigs::Same(config) => Some(config),
            LockedConfigs::Each(configs) => configs.get(platform),
        }
    }
}

impl LockedBase {
    fn value(&self) -> Value {
        let digest = Value::from(self.digest.as_str());
        let mut table = toml::Table::from_iter([("digest".to_owned(), digest.clone())]);
        match &self.configs {
            LockedConfigs::Same(config) if *config == LockedConfig::default() => return digest,
            LockedConfigs::Same(config) => table.extend(config.table()),
            LockedConfigs::Each(configs) => {
                let each = configs.iter().map(|(platform, config)| (platform.clone(), config.table().into()));
                table.insert("platforms".to_owned(), Value::Table(each.collect()));
            }
        }
        Value::Table(table)
    }
}

impl LockedConfig {
    fn table(&self) -> toml::Table {
        let mut table = toml::Table::new();
        if let Some(env) = &self.env {
            let env = env.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            table.insert("env".to_owned(), Value::Table(env.collect()));
        }
        if !self.onbuild.is_empty() {
            table.insert("onbuild".to_owned(), Value::from(self.onbuild.clone()));
        }
        table
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let platforms: Vec<&str> = self.platforms.iter().map(String::as_str).collect();
        write!(
            formatter,
            "{HEADER}version = {VERSION}\nplatforms = {}\n\n[bases]\n",
            Value::from(platforms)
        )?;
        for (name, base) in &self.bases {
            writeln!(formatter, "{} = {}", Value::from(name.as_str()), base.value())?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for LockedBase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = LockedBase;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a digest, or a table with one")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LockedBase, E> {
                let digest = text.parse().map_err(E::custom)?;
                Ok(LockedBase { digest, configs: LockedConfigs::Same(LockedConfig::default()) })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<LockedBase, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let same = LockedConfig { onbuild: table.onbuild, env: table.env };
                let configs = match table.platforms {
                    None => LockedConfigs::Same(same),
                    Some(each) if same == LockedConfig::default() => LockedConfigs::Each(each),
                    Some(_) => {
                        return Err(de::Error::custom("`platforms` cannot stand beside `onbuild` and `env`"));
                    }
                };
                Ok(LockedBase { digest: table.digest, configs })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        format!("sha256:{}", "ab".repeat(32)).parse().unwrap()
    }

    fn base(configs: LockedConfigs) -> LockedBase {
        LockedBase { digest: digest(), configs }
    }

    fn triggers(texts: &[&str]) -> LockedConfig {
        LockedConfig { onbuild: texts.iter().map(|text| (*text).to_owned()).collect(), env: None }
    }

    #[test]
    fn a_lock_reads_back_as_it_was_written() {
        let env = Some(BTreeMap::from([("DIST".to_owned(), "a \"b\"".to_owned())]));
        let same = LockedConfigs::Same(LockedConfig { env, ..triggers(&["COPY . /app"]) });
        let each =
            [("linux/amd64".to_owned(), triggers(&["COPY a /"])), ("linux/arm64".to_owned(), triggers(&[]))];
        let lock = Lock {
            platforms: ["linux/arm64", "linux/amd64"].map(str::to_owned).into(),
            bases: [
                ("nginx:1".to_owned(), base(LockedConfigs::Same(LockedConfig::default()))),
                ("a/b".to_owned(), base(same)),
                ("each".to_owned(), base(LockedConfigs::Each(each.into()))),
                ("unknown".to_owned(), base(LockedConfigs::Each(BTreeMap::new()))),
            ]
            .into(),
        };
        insta::assert_snapshot!(lock.to_string().replace(digest().as_str(), "DIGEST"), @r#"
        # The base images that the Dockerfiles name. Written by `dtbuild lock`; commit it.
        # `dtbuild lock --update` moves them to what the registries serve now.
        version = 2
        platforms = ["linux/amd64", "linux/arm64"]

        [bases]
        "a/b" = { digest = "DIGEST", env = { DIST = 'a "b"' }, onbuild = ["COPY . /app"] }
        "each" = { digest = "DIGEST", platforms = { "linux/amd64" = { onbuild = ["COPY a /"] }, "linux/arm64" = {} } }
        "nginx:1" = "DIGEST"
        "unknown" = { digest = "DIGEST", platforms = {} }
        "#);
        assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
    }

    #[test]
    fn a_configuration_counts_for_its_digest_and_the_platforms_that_were_read() {
        let text = format!(
            "version = 2\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n[bases]\na = \"{0}\"\n\
             b = {{ digest = \"{0}\", platforms = {{ \"linux/amd64\" = {{ onbuild = [\"COPY a /\"] }} }} }}\n",
            digest()
        );
        let lock = Lock::parse(&text).unwrap();
        let known = |name, platform| lock.config(name, &digest(), platform).cloned();
        assert_eq!(known("a", "linux/arm64"), Some(LockedConfig::default()));
        assert_eq!(known("a", "linux/s390x"), None, "it was not read for that");
        assert_eq!(known("b", "linux/amd64"), Some(triggers(&["COPY a /"])));
        assert_eq!(known("b", "linux/arm64"), None, "there is none");
        let other = format!("sha256:{}", "cd".repeat(32)).parse().unwrap();
        assert_eq!(lock.config("a", &other, "linux/amd64"), None);
        let first = Lock::parse(&text.replace("version = 2", "version = 1")).unwrap();
        assert_eq!(first.config("a", &digest(), "linux/amd64"), None, "version 1 says nothing of it");
    }

    #[test]
    fn what_is_no_lock_is_refused_with_its_place() {
        let error = Lock::parse("# written by a newer one\nversion = 9\n").unwrap_err();
        assert_eq!(error.to_string(), "build.lock:2: version 9 is not known");
        let other = format!("version = 2\n[bases]\n\"a@sha256:{}\" = \"{}\"\n", "cd".repeat(32), digest());
        let error = Lock::parse(&other).unwrap_err();
        assert!(error.to_string().contains("another digest than its name says"), "{error}");
        assert_eq!(error.line, Some(3), "{error}");
        for entry in ["\"sha256:1\"", "1", "{ digest = \"sha256:1\" }", "{ onbuild = [] }"] {
            let error = Lock::parse(&format!("version = 2\n[bases]\n\"a\" = {entry}\n")).unwrap_err();
            assert_eq!(error.line, Some(3), "{error}");
        }
    }
}
