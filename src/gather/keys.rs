//! The key's fields of every image, in the order of their dependencies.

use std::collections::BTreeMap;

use dtbuild_content::key::{ImageKey, KeyFields, SCHEMA, SharedFields};
use dtbuild_content::tree::ContentId;

use super::inputs::{Selections, globs};
use super::sources::Source;
use crate::config::{Image, ImageName};
use crate::error::Result;
use crate::git::Repository;
use crate::parallel;
use crate::reference::Digest;
use crate::workspace::Workspace;

/// An image's key.
pub(crate) struct Keyed {
    /// The key.
    pub(crate) key: ImageKey,
    /// What it was taken from.
    pub(crate) fields: SharedFields,
    /// What of the contexts is read.
    pub(crate) selections: Selections,
    /// The remarks on globs of `build.toml` that match nothing.
    globs: Vec<String>,
}

impl Keyed {
    /// The remarks for the image's author.
    pub(crate) fn notes(&self, source: &Source) -> Vec<String> {
        let mut notes = source.notes(&self.selections);
        notes.extend_from_slice(&self.globs);
        notes
    }
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
    let known: Vec<(&ImageName, &Source)> =
        order.iter().filter_map(|name| Some((name, sources.get(name)?))).collect();
    let mut keys = Keys::new();
    for ((name, source), read) in known.iter().zip(read_all(workspace, &known)) {
        keys.insert((*name).clone(), of_image(workspace, source, bases, &keys, read?)?);
    }
    Ok(keys)
}

/// What of an image's contexts is read, the digest of its further inputs, and the remarks on its globs.
type Read = (Selections, Option<ContentId>, Vec<String>);

/// How many images one thread takes at least: fewer are read before another one has started.
const SHARE: usize = 8;

/// Reads the contexts of all images, on several threads where there are many.
fn read_all(workspace: &Workspace, images: &[(&ImageName, &Source)]) -> Vec<Result<Read>> {
    let threads = parallel::threads(images.len(), SHARE);
    let (repository, config) = (&workspace.repository, &workspace.config);
    let read = |repository: &Repository, (_, source): &(&ImageName, &Source)| {
        read(repository, source, source.declared(config)?)
    };
    parallel::map(images, threads, repository, || repository.for_thread(), read)
}

fn read(repository: &Repository, source: &Source, image: &Image) -> Result<Read> {
    let (contexts, files) = (&source.contexts, source.files);
    let (selections, paths) =
        (contexts.select(repository, files)?, contexts.main.paths_digest(repository, files)?);
    Ok((selections, paths, globs::of_image(repository, files, image)?))
}

fn of_image(
    workspace: &Workspace,
    source: &Source,
    bases: &BTreeMap<String, Digest>,
    known: &Keys,
    (selections, paths, globs): Read,
) -> Result<Keyed> {
    let image = source.declared(&workspace.config)?;
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
    Ok(Keyed { key: fields.key(), fields: fields.into(), selections, globs })
}
