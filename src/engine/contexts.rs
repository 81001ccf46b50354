//! The contexts of a build besides the main one. Start with [`Contexts`].

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::snapshot::Snapshot;

use super::{BuildRequest, EngineError, Output};
use crate::config::{BuildOptions, Platform};
use crate::reference::{Digest, Reference, Repository};

/// The repository of the images that context folders become. No registry has this name: the images are never
/// pushed.
const REPOSITORY: &str = "dtbuild.local/context";

/// The contexts of a build besides the main one.
#[derive(Clone, Default)]
pub struct Contexts {
    /// The contexts, by the names that the Dockerfile has for them.
    pub named: BTreeMap<String, NamedContext>,
    /// The Dockerfile for engines without named contexts: the name of each context folder is replaced by the
    /// name of the image that the folder becomes. None if the names cannot be replaced.
    pub dockerfile: Option<Arc<[u8]>>,
}

/// One context besides the main one.
#[derive(Clone)]
pub enum NamedContext {
    /// A folder whose files are sent to the engine.
    Folder(ContextFolder),
    /// An image that the engine can get at, by its name.
    Image(String),
    /// A git repository that the engine fetches, by its address.
    Remote(String),
}

/// A folder that is sent to the engine as a context of its own.
#[derive(Clone)]
pub struct ContextFolder {
    /// The files that are sent, with `.dockerignore` applied.
    pub files: Snapshot,
    /// The image that the folder becomes on engines without named contexts; its tag is made from the folder's
    /// content.
    pub image: Reference,
}

impl ContextFolder {
    /// A context folder with these files, for a build for `platforms`.
    ///
    /// # Errors
    /// Fails if a platform cannot be part of a tag.
    pub fn new(files: Snapshot, platforms: &[Platform]) -> Result<Self, crate::reference::ReferenceError> {
        let mut hasher = blake3::Hasher::new();
        for entry in files.entries.iter() {
            let mut field = |bytes: &[u8]| {
                hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
            };
            field(&entry.path);
            field(&[entry.kind.code()]);
            field(entry.id.as_bytes());
        }
        let mut tag = hasher.finalize().to_hex()[..40].to_owned();
        for platform in platforms {
            tag.push('-');
            tag.push_str(&platform.as_str().replace('/', "-"));
        }
        let image = REPOSITORY.parse::<Repository>()?.tagged(&tag)?;
        Ok(Self { files, image })
    }
}

impl Contexts {
    /// The contexts that are folders, with their names.
    pub(super) fn folders(&self) -> impl Iterator<Item = (&str, &ContextFolder)> {
        self.named.iter().filter_map(|(name, context)| match context {
            NamedContext::Folder(folder) => Some((name.as_str(), folder)),
            NamedContext::Image(_) | NamedContext::Remote(_) => None,
        })
    }
}

impl BuildRequest {
    /// This build with images named by their digests, so that the build takes exactly these images whatever
    /// happens to their tags. A reference by content key stands in no Dockerfile by chance: the key depends on it.
    pub(crate) fn pin(&mut self, digests: &BTreeMap<Reference, Digest>) {
        for (reference, digest) in digests {
            let (name, exact) = (reference.to_string(), reference.repository().pinned(digest).to_string());
            let dockerfiles = [Some(&mut self.dockerfile), self.contexts.dockerfile.as_mut()];
            for text in dockerfiles.into_iter().flatten().filter(|text| text.contains_str(&name)) {
                *text = text.replace(&name, &exact).into();
            }
            for context in self.contexts.named.values_mut() {
                if matches!(context, NamedContext::Image(image) if *image == name) {
                    *context = NamedContext::Image(exact.clone());
                }
            }
        }
    }

    /// This build for an engine without named contexts, whose store holds the images of the context folders.
    ///
    /// # Errors
    /// Fails if a context is not a folder, or if there is no Dockerfile for such engines.
    pub(super) fn without_contexts(&self, engine: &str) -> Result<Self, EngineError> {
        let Contexts { named, dockerfile } = &self.contexts;
        let fetched = named.iter().find(|(_, context)| !matches!(context, NamedContext::Folder(_)));
        let blame = fetched.or_else(|| named.first_key_value()).map_or("", |(name, _)| name.as_str());
        match (dockerfile, fetched) {
            (Some(dockerfile), None) => {
                Ok(Self { dockerfile: Arc::clone(dockerfile), contexts: Contexts::default(), ..self.clone() })
            }
            _ => Err(EngineError::Unsupported {
                feature: format!("the context `{blame}` of `{}`", self.image),
                engine: engine.to_owned(),
                hint: "use Docker 23 or newer, which has named contexts".to_owned(),
            }),
        }
    }

    /// The request to build the image that the context folder `name` becomes.
    pub(super) fn of_folder(&self, name: &str, folder: &ContextFolder) -> Self {
        Self {
            image: self.image.clone(),
            context: folder.files.clone(),
            context_name: None,
            dockerfile: Arc::from(&b"FROM scratch\nCOPY . /\n"[..]),
            // The engine's copy of the folder is named after this path.
            dockerfile_path: BString::from(format!("{} (context {name})", self.dockerfile_path)),
            target: None,
            args: BTreeMap::new(),
            platforms: self.platforms.clone(),
            labels: BTreeMap::new(),
            secrets: Vec::new(),
            options: BuildOptions::default(),
            entitlements: Vec::new(),
            source_date_epoch: self.source_date_epoch,
            tells_base_layers: true,
            no_cache: false,
            names: vec![folder.image.clone()],
            output: Output::Load,
            contexts: Contexts::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;

    fn folder(platforms: &[&str]) -> ContextFolder {
        let platforms: Vec<Platform> = platforms.iter().map(|text| Platform((*text).to_owned())).collect();
        ContextFolder::new(fake::request("a").context, &platforms).unwrap()
    }

    #[test]
    fn a_folder_s_image_is_named_by_its_content_and_platform() {
        let one = folder(&["linux/arm/v7"]).image.to_string();
        assert!(one.starts_with("dtbuild.local/context:") && one.ends_with("-linux-arm-v7"), "{one}");
        assert_ne!(one, folder(&[]).image.to_string());
        assert_eq!(folder(&[]).image, folder(&[]).image);
    }

    #[test]
    fn what_the_engine_must_fetch_needs_an_engine_with_contexts() {
        let mut request = fake::request("api");
        request.contexts.named.insert("lib".to_owned(), NamedContext::Folder(folder(&[])));
        let error = request.without_contexts("docker 20").err().unwrap().to_string();
        assert!(error.starts_with("the context `lib` of `api` is not supported by docker 20"), "{error}");
        request.contexts.dockerfile = Some(Arc::from(&b"FROM x\n"[..]));
        assert_eq!(&*request.without_contexts("docker 20").unwrap().dockerfile, b"FROM x\n");
        request.contexts.named.insert("src".to_owned(), NamedContext::Remote("https://a/b.git".to_owned()));
        let error = request.without_contexts("docker 20").err().unwrap().to_string();
        assert!(error.starts_with("the context `src` of `api`"), "{error}");
    }

    #[test]
    fn a_pinned_build_names_pushed_images_by_their_digests() {
        let base: Reference = "localhost/base:key-1".parse().unwrap();
        let digest = fake::digest("base");
        let mut request = fake::request("api");
        request.dockerfile =
            Arc::from(&b"FROM localhost/base:key-1 AS base\nFROM localhost/other:key-2\n"[..]);
        request.contexts.named.insert("kit".to_owned(), NamedContext::Image(base.to_string()));
        request.pin(&BTreeMap::from([(base, digest.clone())]));
        let expected = format!("FROM localhost/base@{digest} AS base\nFROM localhost/other:key-2\n");
        assert_eq!(request.dockerfile.as_bstr(), expected);
        let NamedContext::Image(kit) = &request.contexts.named["kit"] else {
            panic!("the context is an image")
        };
        assert_eq!(*kit, format!("localhost/base@{digest}"));
    }
}
