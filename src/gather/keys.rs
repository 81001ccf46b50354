//! The keys of images, computed in the order of their dependencies. Start with [`fields`].

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

/// An image's key, with the inputs that the key was computed from.
pub(crate) struct Keyed {
    /// The content key.
    pub(crate) key: ImageKey,
    /// The fields that the key was computed from.
    pub(crate) fields: SharedFields,
    /// The selected files of each context.
    pub(crate) selections: Selections,
    /// The remarks on globs of `build.toml` that match nothing.
    globs: Vec<String>,
}

impl Keyed {
    /// The remarks that the image's author should read.
    pub(crate) fn notes(&self, source: &Source) -> Vec<String> {
        let mut notes = source.notes(&self.selections);
        notes.extend_from_slice(&self.globs);
        notes
    }
}

/// The keys of images, by the image's name.
pub(crate) type Keys = BTreeMap<ImageName, Keyed>;

/// Computes the keys of the images in `order`, where every image comes after the images that it is built from.
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

/// The selected files of an image's contexts, the digest of its `paths`, and the remarks on its globs.
type Read = (Selections, Option<ContentId>, Vec<String>);

/// The fewest images that are worth a thread: fewer are read before another thread has started.
const SHARE: usize = 8;

/// Reads the contexts of all images, on several threads where there are many images.
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
    // A base image whose digest was not asked for has its name alone in the key: the digest is left empty.
    let base = |name: &str| (name.to_owned(), bases.get(name).map(ToString::to_string).unwrap_or_default());
    let secret = |secret: &crate::config::SecretSource| {
        (secret.id.clone(), secret.version.clone().unwrap_or_default())
    };
    // The prefix keeps an SSH agent apart from a secret of the same id.
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
