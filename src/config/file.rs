//! The tables of `build.toml`, before validation. Start with [`File`], of which [`super::validate`] makes a
//! [`super::Config`].
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
    /// The settings that all images share.
    pub project: ProjectTable,
    /// The images, by name.
    #[schemars(with = "BTreeMap<String, ImageTable>")]
    pub images: BTreeMap<Spanned<String>, ImageTable>,
    /// The environments, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, EnvironmentTable>")]
    pub environments: BTreeMap<Spanned<String>, EnvironmentTable>,
    /// The storage of the records of deployments.
    #[serde(default)]
    pub records: RecordsTable,
    /// The engines that build published images; the machine's own engine when none are declared.
    #[serde(default)]
    pub builders: Vec<BuilderTable>,
}

/// The settings that all images share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectTable {
    /// The project's name; lower-case letters, digits, `-`, `_` and `.`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The registry that images are pushed to: an image's repository is `{registry}/{image}`.
    #[schemars(with = "String")]
    pub registry: Spanned<String>,
    /// The policy by which base images that `build.lock` does not name become digests: `resolve` asks the
    /// registry, `name` takes the name alone.
    #[serde(default)]
    pub bases: BasePolicy,
}

/// An image of the repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageTable {
    /// The folder of the build context, from the repository's root.
    #[schemars(with = "String")]
    pub context: Spanned<String>,
    /// The Dockerfile's path from the repository's root; `{context}/Dockerfile` when left out.
    #[schemars(with = "Option<String>")]
    pub dockerfile: Option<Spanned<String>>,
    /// Further contexts, by the names that the Dockerfile has for them (`COPY --from=NAME`, `FROM NAME`): a folder
    /// from the repository's root, `image:NAME` for another image of this file, `docker-image://REFERENCE`, or the
    /// url of a git repository.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub contexts: BTreeMap<Spanned<String>, Spanned<String>>,
    /// The image's earlier name. Changes are counted from the image that an environment runs under that name.
    #[serde(rename = "renamed-from", alias = "renamed_from")]
    #[schemars(with = "Option<String>")]
    pub renamed_from: Option<Spanned<String>>,
    /// The stage to build; the last stage when left out.
    pub target: Option<String>,
    /// The repository to push to; `{project.registry}/{image}` when left out.
    #[schemars(with = "Option<String>")]
    pub repository: Option<Spanned<String>>,
    /// Build arguments by name. Arguments that the Dockerfile does not declare are reported and have no effect.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub args: BTreeMap<String, Spanned<String>>,
    /// The platforms to build for, such as `linux/arm64`; the engine's own platform when left out.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub platforms: Vec<Spanned<String>>,
    /// Inputs of the image besides the context: globs from the repository's root.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub paths: Vec<Spanned<String>>,
    /// Files of the context that must not cause a rebuild: globs from the repository's root.
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
    /// Caches that the build reads steps from, in the notation of `docker buildx`:
    /// `type=registry,ref=REPOSITORY:TAG`, `type=local,src=FOLDER`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cache_from: Vec<Spanned<String>>,
    /// Caches that the build writes steps to: `type=inline`, `type=registry,ref=REPOSITORY:TAG,mode=max`,
    /// `type=gha`, `type=local,dest=FOLDER`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cache_to: Vec<Spanned<String>>,
    /// The attestation of how the image was built: `min`, or `max` with every step and argument.
    pub provenance: Option<Provenance>,
    /// The attestation of the image's content: `true`, or the name of the image that lists the content.
    #[schemars(with = "Option<SbomValue>")]
    pub sbom: Option<Spanned<SbomValue>>,
    /// The source of the context's files when a commit is built: `commit` (git's objects) or `worktree` (the
    /// disk).
    #[serde(default)]
    pub source: Source,
}

/// A secret, whose value is in `env` or in `file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretTable {
    /// The secret's id, which the Dockerfile names.
    pub id: String,
    /// The environment variable that holds the value.
    pub env: Option<String>,
    /// The file that holds the value; absolute, or from the repository's root.
    pub file: Option<String>,
    /// The secret's version, chosen by you: images are rebuilt when it changes. The value never enters a key.
    pub version: Option<String>,
}

/// An ssh agent that the steps of a build may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SshTable {
    /// The agent's id, which the Dockerfile names; `default` where the Dockerfile names none.
    pub id: String,
    /// The agent's version, chosen by you: images are rebuilt when it changes. The agent's ssh keys never enter
    /// an image's key.
    pub version: Option<String>,
}

/// The switch for a list of the image's content, or the image that makes the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SbomValue {
    /// A list made by BuildKit's own scanner, or no list.
    Switch(bool),
    /// A list made by this image.
    Generator(String),
}

/// An environment that releases are deployed to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentTable {
    /// The branch that goes to this environment: `dtbuild` without `--env` on that branch means this
    /// environment.
    #[schemars(with = "Option<String>")]
    pub branch: Option<Spanned<String>>,
    /// The environment's images; all images when left out.
    #[schemars(with = "Option<Vec<String>>")]
    pub images: Option<Vec<Spanned<String>>>,
    /// The tag that the environment's images carry at the registry; the environment's name when left out.
    /// `{environment}` stands for the environment's name, and `{commit}` for the deployed commit's id: a tag with
    /// `{commit}` is never moved.
    #[schemars(with = "Option<String>")]
    pub tag: Option<Spanned<String>>,
    /// The deployment of a release to the environment; without one, only the tags move.
    #[schemars(with = "Option<DeployTable>")]
    pub deploy: Option<Spanned<DeployTable>>,
}

/// The deployment of a release to an environment: `command` or `ansible`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployTable {
    /// A program and its arguments; never a shell's line.
    pub command: Option<Vec<String>>,
    /// An Ansible playbook.
    pub ansible: Option<AnsibleTable>,
    /// The longest time that the program may take, such as `90s`, `10m` or `1h`; 30 minutes when left out.
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<String>>,
    /// Inputs of the deployment itself: globs from the repository's root. A change here deploys again and
    /// builds nothing.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub paths: Vec<Spanned<String>>,
}

/// An Ansible playbook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnsibleTable {
    /// The playbook's path from the repository's root.
    pub playbook: String,
    /// The inventory's path from the repository's root; Ansible's own default when left out.
    pub inventory: Option<String>,
    /// More arguments for `ansible-playbook`.
    #[serde(default)]
    pub args: Vec<String>,
}

/// The storage of the records of deployments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsTable {
    /// The kind of storage: `folder`, `git` or `registry`.
    #[serde(default)]
    pub store: StoreKind,
    /// The folder of the records, from the repository's root, which git must not track. When left out, the machine's
    /// own, which all checkouts share: `$XDG_STATE_HOME/dtbuild/{project.registry}/{project.name}`.
    #[schemars(with = "Option<String>")]
    pub folder: Option<Spanned<String>>,
    /// The repository of the records; `{project.registry}/dtbuild-records` when left out.
    #[schemars(with = "Option<String>")]
    pub repository: Option<Spanned<String>>,
    /// The name or url of git's remote for records; the one that the current branch is fetched from when left out.
    pub remote: Option<String>,
}

/// The kinds of storage for records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Files in a folder: for one machine.
    #[default]
    Folder,
    /// References of git's remote (`refs/dtbuild/*`): for runners that keep nothing and may push.
    Git,
    /// OCI artifacts at the registry: for runners that keep nothing else. Two runs at one time can undo each other's
    /// record.
    Registry,
}

impl Default for RecordsTable {
    fn default() -> Self {
        Self { store: StoreKind::Folder, folder: None, repository: None, remote: None }
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
