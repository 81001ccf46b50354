//! The key's fields of every image, in the order of their dependencies.

use std::collections::BTreeMap;

use dtbuild_cache::key::{ImageKey, KeyFields, SCHEMA};

use super::contexts::Selections;
use super::source::Source;
use crate::commands::workspace::Workspace;
use crate::config::ImageName;
use crate::error::Result;
use crate::reference::Digest;

/// An image's key.
pub(crate) struct Keyed {
    /// The key.
    pub(crate) key: ImageKey,
    /// What it was taken from.
    pub(crate) fields: KeyFields,
    /// What of the contexts is read.
    pub(crate) selections: Selections,
}

/// The images' keys.
pub(crate) type Keys = BTreeMap<ImageName, Keyed>;

/// Computes the keys of `order`, in which every image comes after those that it is built from.
pub(crate) fn fields(
    workspace: &Workspace,
    order: &[ImageName],
    sources: &BTreeMap<ImageName, Source>,
    bases: &BTreeMap<String, Digest>,
) -> Result<Keys> {
    let mut keys = Keys::new();
    for name in order {
        let Some(source) = sources.get(name) else { continue };
        keys.insert(name.clone(), of_image(workspace, source, bases, &keys)?);
    }
    Ok(keys)
}

fn of_image(
    workspace: &Workspace,
    source: &Source,
    bases: &BTreeMap<String, Digest>,
    known: &Keys,
) -> Result<Keyed> {
    let image = source.declared(&workspace.config)?;
    let selections = source.contexts.select(&workspace.repository, source.files)?;
    let paths = source.contexts.main.paths_digest(&workspace.repository, source.files)?;
    // A base whose digest nobody asked for is keyed by its name: the digest is left empty.
    let base = |name: &str| (name.to_owned(), bases.get(name).map(ToString::to_string).unwrap_or_default());
    let secret = |secret: &crate::config::SecretSource| {
        (secret.id.clone(), secret.version.clone().unwrap_or_default())
    };
    // The prefix keeps an agent apart from a secret of the same id.
    let agent = |agent: &crate::config::SshAgent| {
        (format!("ssh:{}", agent.id), agent.version.clone().unwrap_or_default())
    };
    let image_key = |need: &ImageName| Some((need.to_string(), known.get(need)?.key));
    let fields = KeyFields {
        schema: SCHEMA,
        dockerfile: source.dockerfile_digest.clone(),
        target: image.target.clone(),
        platforms: source.platforms.clone(),
        network: image.options.network.map(|network| network.as_str().to_owned()),
        args: source.args.clone(),
        bases: source.bases().map(base).collect(),
        secrets: image.secrets.iter().map(secret).chain(image.options.ssh.iter().map(agent)).collect(),
        contexts: selections.digests.clone(),
        paths: paths.map(|id| id.to_string()),
        attestations: image.options.attestations(),
        images: source.dependencies.iter().filter_map(image_key).collect(),
    };
    Ok(Keyed { key: fields.key(), fields, selections })
}
