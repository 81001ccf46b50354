//! `build.toml` as it is written. Start with [`File`]; [`super::validate`] makes a [`super::Config`] of it.
//!
//! The JSON Schema in `docs/build.schema.json` is generated from these types, doc comments included.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::builders::BuilderTable;
use super::{BasePolicy, Network, Provenance, Source};

/// The images of a repository and the environments that they go to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What all images share.
    pub project: ProjectTable,
    /// The images, by name.
    #[schemars(with = "BTreeMap<String, ImageTable>")]
    pub images: BTreeMap<Spanned<String>, ImageTable>,
    /// The environments, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, EnvironmentTable>")]
    pub environments: BTreeMap<Spanned<String>, EnvironmentTable>,
    /// Where the deployments are recorded.
    #[serde(default)]
    pub records: RecordsTable,
    /// The engines that build what is published; the one that the machine has when none are declared.
    #[serde(default)]
    pub builders: Vec<BuilderTable>,
}

/// What all images share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectTable {
    /// The project's name; lower-case letters, digits, `-`, `_` and `.`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Where images are pushed to: an image's repository is `{registry}/{image}`.
    #[schemars(with = "String")]
    pub registry: Spanned<String>,
    /// How base images that `build.lock` does not name become digests: `resolve` asks the registry,
    /// `name` takes the name alone.
    #[serde(default)]
    pub bases: BasePolicy,
}

/// An image.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageTable {
    /// The folder that is the build context, from the repository's root.
    #[schemars(with = "String")]
    pub context: Spanned<String>,
    /// The Dockerfile, from the repository's root; `{context}/Dockerfile` when left out.
    #[schemars(with = "Option<String>")]
    pub dockerfile: Option<Spanned<String>>,
    /// Further contexts, by the names that the Dockerfile has for them (`COPY --from=NAME`, `FROM NAME`): a folder
    /// from the repository's root, `image:NAME` for another image of this file, `docker-image://REFERENCE`, or the
    /// url of a git repository.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub contexts: BTreeMap<Spanned<String>, Spanned<String>>,
    /// The name that the image had before: what runs under it tells what changed since.
    #[serde(rename = "renamed-from", alias = "renamed_from")]
    #[schemars(with = "Option<String>")]
    pub renamed_from: Option<Spanned<String>>,
    /// The stage to build; the last one when left out.
    pub target: Option<String>,
    /// The repository to push to; `{project.registry}/{image}` when left out.
    #[schemars(with = "Option<String>")]
    pub repository: Option<Spanned<String>>,
    /// Build arguments. Those that the Dockerfile does not declare are reported and have no effect.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub args: BTreeMap<String, Spanned<String>>,
    /// The platforms to build for, such as `linux/arm64`; the engine's own when left out.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub platforms: Vec<Spanned<String>>,
    /// Inputs besides the context: globs from the repository's root.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub paths: Vec<Spanned<String>>,
    /// What of the context must not cause a rebuild: globs from the repository's root.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub ignore: Vec<Spanned<String>>,
    /// Secrets for `RUN --mount=type=secret`.
    #[serde(default)]
    #[schemars(with = "Vec<SecretTable>")]
    pub secrets: Vec<Spanned<SecretTable>>,
    /// Ssh agents for `RUN --mount=type=ssh`: the user's own, which `SSH_AUTH_SOCK` names.
    #[serde(default)]
    #[schemars(with = "Vec<SshTable>")]
    pub ssh: Vec<Spanned<SshTable>>,
    /// The network of `RUN`: `none`, or the machine's own as `host`; the engine's default when left out.
    pub network: Option<Network>,
    /// Caches to look for steps in, as `docker buildx` has them written: `type=registry,ref=REPOSITORY:TAG`,
    /// `type=local,src=FOLDER`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cache_from: Vec<Spanned<String>>,
    /// Caches to bring steps to: `type=inline`, `type=registry,ref=REPOSITORY:TAG,mode=max`, `type=gha`,
    /// `type=local,dest=FOLDER`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cache_to: Vec<Spanned<String>>,
    /// Attest how the image was built: `min`, or `max` with every step and argument.
    pub provenance: Option<Provenance>,
    /// Attest what is in the image: `true`, or the name of the image that finds out.
    #[schemars(with = "Option<SbomValue>")]
    pub sbom: Option<Spanned<SbomValue>>,
    /// Where the files come from when a commit is built: `commit` (git's objects) or `worktree` (the disk).
    #[serde(default)]
    pub source: Source,
}

/// A secret: `env` or `file` says where its value is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretTable {
    /// The id that the Dockerfile names.
    pub id: String,
    /// The environment variable that holds the value.
    pub env: Option<String>,
    /// The file that holds the value; absolute, or from the repository's root.
    pub file: Option<String>,
    /// A version of your own: images are rebuilt when it changes. The value never enters a key.
    pub version: Option<String>,
}

/// An ssh agent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SshTable {
    /// The id that the Dockerfile names; `default` where it names none.
    pub id: String,
    /// A version of your own: images are rebuilt when it changes. The keys never enter a key.
    pub version: Option<String>,
}

/// Whether, or with what, the content of an image is listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SbomValue {
    /// With BuildKit's own scanner, or not at all.
    Switch(bool),
    /// With this image.
    Generator(String),
}

/// An environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentTable {
    /// The branch that goes to this environment: `dtbuild` without `--env` on it means this one.
    #[schemars(with = "Option<String>")]
    pub branch: Option<Spanned<String>>,
    /// Its images; all when left out.
    #[schemars(with = "Option<Vec<String>>")]
    pub images: Option<Vec<Spanned<String>>>,
    /// The tag that its images carry at the registry; the environment's name when left out.
    #[schemars(with = "Option<String>")]
    pub tag: Option<Spanned<String>>,
    /// What brings a release to it; without one only the tags move.
    #[schemars(with = "Option<DeployTable>")]
    pub deploy: Option<Spanned<DeployTable>>,
}

/// How a release is brought to an environment: `command` or `ansible`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployTable {
    /// A program and its arguments; never a shell's line.
    pub command: Option<Vec<String>>,
    /// An Ansible playbook.
    pub ansible: Option<AnsibleTable>,
    /// What the deployment itself reads: globs from the repository's root. A change deploys again and
    /// builds nothing.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub paths: Vec<Spanned<String>>,
}

/// An Ansible playbook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnsibleTable {
    /// The playbook, from the repository's root.
    pub playbook: String,
    /// The inventory, from the repository's root; Ansible's own default when left out.
    pub inventory: Option<String>,
    /// More arguments for `ansible-playbook`.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Where the deployments are recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsTable {
    /// `folder` or `registry`.
    #[serde(default)]
    pub store: StoreKind,
    /// The folder, from the repository's root; `.dtbuild/records` when left out.
    #[schemars(with = "Option<String>")]
    pub folder: Option<Spanned<String>>,
    /// The repository of the records; `{project.registry}/dtbuild-records` when left out.
    #[schemars(with = "Option<String>")]
    pub repository: Option<Spanned<String>>,
}

/// The kinds of record store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Files below the repository: for one machine.
    #[default]
    Folder,
    /// OCI artifacts at the registry: for runners that keep nothing.
    Registry,
}

impl Default for RecordsTable {
    fn default() -> Self {
        Self { store: StoreKind::Folder, folder: None, repository: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_schema_in_the_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/build.schema.json");
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(File)).unwrap() + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            kept, schema,
            "run `UPDATE_DOCS=1 cargo test json_schema` and commit docs/build.schema.json"
        );
    }
}
