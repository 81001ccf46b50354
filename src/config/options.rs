//! The options of an image's build besides its files and arguments: ssh agents, network, caches, attestations.
//! Start with [`BuildOptions`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::error::ConfigError;
use super::file::{ImageTable, SbomValue};
use super::validate::{Result, Validator};
use crate::reference::Repository;
use crate::suggestion::nearest;

/// The kinds of cache that BuildKit has.
const CACHES: [&str; 6] = ["registry", "inline", "local", "gha", "s3", "azblob"];
/// The attributes that name the folder of a `local` cache: the one that steps are read from, and the one that
/// steps are written to.
const FOLDERS: [&str; 2] = ["src", "dest"];
/// The attributes of caches that are secrets.
const SECRETS: [&str; 5] = ["token", "ghtoken", "access_key_id", "secret_access_key", "session_token"];

/// The options of a build besides its files and arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// The ssh agents that `RUN --mount=type=ssh` may ask.
    pub ssh: Vec<SshAgent>,
    /// The network of `RUN`; none for the engine's default.
    pub network: Option<Network>,
    /// The caches that steps are read from.
    pub cache_from: Vec<CacheEntry>,
    /// The caches that steps are written to.
    pub cache_to: Vec<CacheEntry>,
    /// The detail in which the image says how it was built; none where the image does not say so.
    pub provenance: Option<Provenance>,
    /// The image that lists the content of the built image: empty for BuildKit's own scanner, none for no list.
    pub sbom: Option<String>,
}

/// An ssh agent for a build: the agent of dtbuild's own environment, under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAgent {
    /// The agent's id, which `RUN --mount=type=ssh,id=...` names.
    pub id: String,
    /// The agent's version, which enters the key, so that other ssh keys can cause a rebuild.
    pub version: Option<String>,
}

/// The network of a build's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The loopback interface alone.
    None,
    /// The machine's own network.
    Host,
}

/// The detail in which an image says how it was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The materials that the image was built from.
    Min,
    /// The materials, and every step and argument.
    Max,
}

/// A cache, as `type=registry,ref=...` names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The cache's kind, such as `registry`.
    pub kind: String,
    /// The cache's attributes besides its kind, by name.
    pub attributes: BTreeMap<String, String>,
}

impl Network {
    /// The word for the network, as BuildKit and the key have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Host => "host",
        }
    }
}

impl Provenance {
    /// The word for the detail, as BuildKit and the key have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

impl BuildOptions {
    /// The attestations, which alter the image beyond its layers: `provenance` with its detail, `sbom` with the
    /// image that makes it.
    #[must_use]
    pub fn attestations(&self) -> BTreeMap<String, String> {
        let provenance = self.provenance.map(|mode| ("provenance".to_owned(), mode.as_str().to_owned()));
        let sbom = self.sbom.as_ref().map(|generator| ("sbom".to_owned(), generator.clone()));
        provenance.into_iter().chain(sbom).collect()
    }
}

impl BuildOptions {
    /// The folders of the caches that are in folders.
    pub fn cache_folders(&self) -> impl Iterator<Item = &Path> {
        self.cache_from.iter().chain(&self.cache_to).filter_map(CacheEntry::folder)
    }

    /// These options, with the relative folders of caches taken from `root`.
    #[must_use]
    pub fn below(mut self, root: &Path) -> Self {
        for entry in self.cache_from.iter_mut().chain(&mut self.cache_to) {
            for name in FOLDERS.iter().filter(|_| entry.kind == "local") {
                if let Some(folder) = entry.attributes.get_mut(*name) {
                    *folder = root.join(&*folder).to_string_lossy().into_owned();
                }
            }
        }
        self
    }
}

impl CacheEntry {
    /// The folder that the cache is in; none for a cache that is not in a folder.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        let mut named = FOLDERS.iter().filter(|_| self.kind == "local");
        named.find_map(|name| self.attributes.get(*name)).map(Path::new)
    }
}

impl Validator<'_> {
    /// The checked build options of an image.
    pub(super) fn options(&self, table: &ImageTable) -> Result<BuildOptions> {
        let mut ids = BTreeSet::new();
        let agent = |agent: &Spanned<super::file::SshTable>| {
            let id = &agent.get_ref().id;
            if id.is_empty() {
                return Err(self.error(agent, "an ssh agent needs an id; Docker's own is `default`"));
            }
            if !ids.insert(id.clone()) {
                return Err(self.error(agent, format!("the ssh agent `{id}` is declared twice")));
            }
            Ok(SshAgent { id: id.clone(), version: agent.get_ref().version.clone() })
        };
        let sbom = match table.sbom.as_ref().map(Spanned::get_ref) {
            None | Some(SbomValue::Switch(false)) => None,
            Some(SbomValue::Switch(true)) => Some(String::new()),
            Some(SbomValue::Generator(image)) => Some(image.clone()),
        };
        let cache_to: Vec<_> =
            table.cache_to.iter().map(|entry| self.cache(entry, true)).collect::<Result<_>>()?;
        let mut in_folders =
            table.cache_to.iter().zip(&cache_to).filter(|(_, entry)| entry.folder().is_some());
        if let Some((second, _)) = in_folders.nth(1) {
            return Err(self
                .error(second, "steps cannot be brought to more than one folder")
                .hint("leave one of them"));
        }
        Ok(BuildOptions {
            ssh: table.ssh.iter().map(agent).collect::<Result<_>>()?,
            network: table.network,
            cache_from: table
                .cache_from
                .iter()
                .map(|entry| self.cache(entry, false))
                .collect::<Result<_>>()?,
            cache_to,
            provenance: table.provenance,
            sbom,
        })
    }

    /// The cache that a text names, in the notation of `docker buildx bake` and `docker buildx build`:
    /// `type=KIND,NAME=VALUE,...`, or only the reference of an image. `export` is true for an entry of
    /// `cache_to`.
    fn cache(&self, written: &Spanned<String>, export: bool) -> Result<CacheEntry> {
        let text = written.get_ref();
        let wrong = |message: String| self.error(written, message);
        let mut attributes = BTreeMap::new();
        if text.contains('=') {
            for field in text.split(',') {
                let pair =
                    field.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
                let (name, value) = pair.ok_or_else(|| {
                    wrong(format!("`{text}` is not a cache: `{field}` is not `NAME=VALUE`"))
                })?;
                let name = name.trim().to_ascii_lowercase();
                if SECRETS.contains(&&*name) {
                    return Err(wrong(format!("`{name}` is a secret, which has no place in build.toml"))
                        .hint("the engine, or the environment of a CI job, has it"));
                }
                if attributes.insert(name.clone(), value.to_owned()).is_some() {
                    return Err(wrong(format!("`{text}` says `{name}` twice")));
                }
            }
        } else {
            attributes.insert("type".to_owned(), "registry".to_owned());
            attributes.insert("ref".to_owned(), text.clone());
        }
        let kind = attributes.remove("type").ok_or_else(|| {
            wrong(format!("`{text}` does not say its `type`"))
                .hint("write `type=registry,ref=REPOSITORY:TAG`")
        })?;
        self.known_cache(written, &kind, export)?;
        if kind == "local" {
            self.cache_folder(written, &mut attributes, export)?;
        }
        if kind == "registry" {
            let reference = attributes.get("ref").map(String::as_str).unwrap_or_default();
            let name = reference.split('@').next().unwrap_or_default();
            let repository = match name.rsplit_once(':') {
                Some((repository, tag)) if !tag.contains('/') => repository,
                _ => name,
            };
            repository.parse::<Repository>().map_err(|_| {
                wrong(format!("`{text}` needs the `ref` of an image"))
                    .hint("such as `ref=registry.example.com/team/cache:main`")
            })?;
        }
        Ok(CacheEntry { kind, attributes })
    }

    /// Checks the folder of a `local` cache: absolute, or from the repository's root.
    fn cache_folder(
        &self,
        written: &Spanned<String>,
        attributes: &mut BTreeMap<String, String>,
        export: bool,
    ) -> Result<()> {
        let [source, target] = FOLDERS;
        let (name, other) = if export { (target, source) } else { (source, target) };
        let example = format!("such as `type=local,{name}=.dtbuild/cache/api`");
        if attributes.contains_key(other) || !attributes.contains_key(name) {
            let message = format!("`{}` needs a folder as its `{name}` alone", written.get_ref());
            return Err(self.error(written, message).hint(example));
        }
        if let Some(folder) = attributes.get_mut(name).filter(|folder| !Path::new(folder).is_absolute()) {
            let path = self.path(&Spanned::new(written.span(), folder.clone()))?;
            if path.is_empty() {
                return Err(self.error(written, "a cache cannot be all of the repository").hint(example));
            }
            *folder = path.to_string();
        }
        Ok(())
    }

    fn known_cache(&self, written: &Spanned<String>, kind: &str, export: bool) -> Result<()> {
        if !CACHES.contains(&kind) {
            let error: ConfigError = self.error(written, format!("`{kind}` is not a type of cache"));
            return Err(match nearest(kind, CACHES.into_iter()) {
                Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                None => error.hint(format!("there are: {}", CACHES.join(", "))),
            });
        }
        if kind == "inline" && !export {
            return Err(self
                .error(written, "an inline cache is read from the image that holds it")
                .hint("write `type=registry,ref=` and that image's name"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ImageName};

    fn options(lines: &str) -> std::result::Result<BuildOptions, ConfigError> {
        let text = format!(
            "[project]\nname = \"a\"\nregistry = \"localhost:5000\"\n[images.api]\ncontext = \"api\"\n{lines}"
        );
        let config = Config::parse(&text, None)?;
        let name: ImageName = "api".parse().unwrap();
        Ok(config.images[&name].options.clone())
    }

    #[test]
    fn options_are_read() {
        let read = options(
            "ssh = [{ id = \"default\", version = \"2\" }]\nnetwork = \"none\"\nprovenance = \"max\"\nsbom = true\n\
             cache_from = [\"localhost:5000/cache\", \"type=registry,ref=localhost:5000/cache:main\"]\n\
             cache_to = [\"type=inline\", \"type=gha,mode=max,scope=a\"]\n",
        )
        .unwrap();
        let agent = SshAgent { id: "default".to_owned(), version: Some("2".to_owned()) };
        assert_eq!((read.ssh.as_slice(), read.network), ([agent].as_slice(), Some(Network::None)));
        let shown = |entries: &[CacheEntry]| -> Vec<String> {
            entries.iter().map(|entry| format!("{} {:?}", entry.kind, entry.attributes)).collect()
        };
        assert_eq!(
            shown(&read.cache_from),
            [
                "registry {\"ref\": \"localhost:5000/cache\"}",
                "registry {\"ref\": \"localhost:5000/cache:main\"}"
            ]
        );
        assert_eq!(shown(&read.cache_to), ["inline {}", "gha {\"mode\": \"max\", \"scope\": \"a\"}"]);
        let attestations = [("provenance", "max"), ("sbom", "")];
        let attestations = attestations.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read.attestations(), attestations.into());
        assert_eq!(options("").unwrap(), BuildOptions::default());
    }

    #[test]
    fn a_cache_can_be_in_a_folder_of_the_repository_or_of_the_machine() {
        let text = "cache_from = [\"type=local,src=./.dtbuild//cache\"]\ncache_to = [\"type=local,dest=/var/cache/a\"]\n";
        let read = options(text).unwrap();
        let folders = |options: &BuildOptions| -> Vec<String> {
            options.cache_folders().map(|folder| folder.display().to_string()).collect()
        };
        assert_eq!(folders(&read), [".dtbuild/cache", "/var/cache/a"]);
        assert_eq!(folders(&read.below(Path::new("/repo"))), ["/repo/.dtbuild/cache", "/var/cache/a"]);
    }

    #[test]
    fn what_cannot_be_has_its_line() {
        for (line, says) in [
            ("cache_from = [\"type=regsitry,ref=a\"]", "`regsitry` is not a type of cache"),
            ("cache_from = [\"type=registry\"]", "needs the `ref` of an image"),
            ("cache_from = [\"type=inline\"]", "read from the image that holds it"),
            ("cache_from = [\"ref=localhost/a\"]", "does not say its `type`"),
            ("cache_to = [\"type=local,src=a\"]", "needs a folder as its `dest`"),
            ("cache_from = [\"type=local,dest=a\"]", "needs a folder as its `src`"),
            ("cache_to = [\"type=local,dest=../a\"]", "`../a` leads out of the repository"),
            ("cache_to = [\"type=local,dest=.\"]", "cannot be all of the repository"),
            ("cache_to = [\"type=local,dest=a\", \"type=local,dest=b\"]", "more than one folder"),
            ("cache_to = [\"type=registry,ref=localhost/a,mode\"]", "`mode` is not `NAME=VALUE`"),
            ("cache_to = [\"type=gha,token=hunter2\"]", "`token` is a secret"),
            ("ssh = [{ id = \"\" }]", "an ssh agent needs an id"),
            ("ssh = [{ id = \"a\" }, { id = \"a\" }]", "declared twice"),
            ("network = \"bridge\"", "unknown variant `bridge`"),
            ("provenance = \"full\"", "unknown variant `full`"),
        ] {
            let error = options(line).unwrap_err();
            assert_eq!(error.line, Some(6), "{line}: {error}");
            assert!(error.to_string().contains(says), "{line}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
