//! The named contexts of an image, which `contexts = { NAME = "..." }` declares. Start with [`NamedContext`].

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;
use toml::Spanned;

use super::error::ConfigError;
use super::name::ImageName;
use super::validate::{Result, Validator};
use crate::dockerfile::{Remote, RemoteKind, familiar};
use crate::reference::{Digest, Reference};
use crate::suggestion::nearest;

/// The named contexts of an image, by the names that its Dockerfile has for them.
pub type NamedContexts = BTreeMap<String, NamedContext>;

/// A context of an image besides the main context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedContext {
    /// The origin of the context's files.
    pub origin: ContextOrigin,
    /// The context's text in `build.toml`, word by word.
    pub written: String,
    /// The line of `build.toml` that names the context, from 1.
    pub line: usize,
}

/// The origin of a named context's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextOrigin {
    /// A folder, as a path from the repository's root; empty for the root itself.
    Folder(BString),
    /// Another image of `build.toml`.
    Image(ImageName),
    /// An image that `build.toml` does not declare, by its name.
    External(String),
    /// A git repository, fetched by the engine.
    Repository {
        /// The repository's address.
        url: String,
        /// True if the address fixes the content: an address with a full commit id does.
        exact: bool,
    },
}

/// The message about a text that cannot be a context, and the hint.
type Refusal = (String, &'static str);

impl Validator<'_> {
    /// Checks the named contexts of the image `own`; `images` are the names of all images that the file
    /// declares.
    pub(super) fn contexts(
        &self,
        own: &Spanned<String>,
        table: &BTreeMap<Spanned<String>, Spanned<String>>,
        images: &BTreeSet<String>,
    ) -> Result<NamedContexts> {
        let mut contexts = NamedContexts::new();
        for (name, value) in table {
            let known = self.context_name(name)?;
            let origin = self.context_origin(value)?;
            if let ContextOrigin::Image(image) = &origin {
                self.context_image(own, value, image, images)?;
            }
            let context = NamedContext { origin, written: value.get_ref().clone(), line: self.line(value) };
            if contexts.insert(known.clone(), context).is_some() {
                return Err(self.error(name, format!("two contexts are named `{known}`")));
            }
        }
        Ok(contexts)
    }

    /// The context's name, in the form in which builds look for the name.
    fn context_name(&self, name: &Spanned<String>) -> Result<String> {
        let text = name.get_ref();
        let known = familiar(text);
        if known.eq_ignore_ascii_case("context") || known.eq_ignore_ascii_case("scratch") {
            let message = format!("`{text}` means something else in every Dockerfile");
            return Err(self.error(name, message).hint("give the context another name"));
        }
        let lower = !text.chars().any(|c| c.is_ascii_uppercase());
        if !lower || text.contains('@') || text.parse::<Reference>().is_err() {
            return Err(self.error(name, format!("`{text}` cannot name a context")).hint(
                "write it as Dockerfiles write images: lower-case letters, digits, `-`, `_` and `.`, a tag at most",
            ));
        }
        Ok(known.to_owned())
    }

    fn context_origin(&self, value: &Spanned<String>) -> Result<ContextOrigin> {
        match origin(value.get_ref()) {
            None => Ok(ContextOrigin::Folder(self.path(value)?)),
            Some(Ok(origin)) => Ok(origin),
            Some(Err((message, hint))) => Err(self.error(value, message).hint(hint)),
        }
    }

    fn context_image(
        &self,
        own: &Spanned<String>,
        value: &Spanned<String>,
        image: &ImageName,
        images: &BTreeSet<String>,
    ) -> Result<()> {
        if image.as_str() == own.get_ref() {
            return Err(self.error(value, format!("`{image}` cannot be built from itself")));
        }
        if images.contains(image.as_str()) {
            return Ok(());
        }
        let error: ConfigError = self.error(value, format!("no image is named `{image}`"));
        Err(match nearest(image.as_str(), images.iter().map(String::as_str)) {
            Some(meant) => error.hint(format!("did you mean `image:{meant}`?")),
            None => error.hint("declare it as `[images.NAME]`"),
        })
    }
}

/// The origin or the refusal that a text means; none for a folder.
fn origin(text: &str) -> Option<std::result::Result<ContextOrigin, Refusal>> {
    let refused = |hint| Some(Err((format!("`{text}` cannot be a context"), hint)));
    if let Some(name) = text.strip_prefix("image:") {
        return Some(match name.parse() {
            Ok(image) => Ok(ContextOrigin::Image(image)),
            Err(error) => Err((error.to_string(), "write `image:NAME`, a name of `[images.NAME]`")),
        });
    }
    if let Some(name) = text.strip_prefix("docker-image://") {
        return if is_image(name) {
            Some(Ok(ContextOrigin::External(name.to_owned())))
        } else {
            refused("write an image's name after `docker-image://`, such as `docker-image://alpine:3.20`")
        };
    }
    if text.starts_with("target:") || text.starts_with("service:") {
        return refused("another image of build.toml is written `image:NAME`");
    }
    if text.starts_with("oci-layout://") {
        return refused("push the layout to a registry, and name it as `docker-image://...`");
    }
    let taken = text.contains("://") || text.starts_with("git@");
    match RemoteKind::of(text) {
        Some(RemoteKind::Git) if taken && !text.starts_with("ssh://") => {
            let exact = Remote::fixed_by(text, RemoteKind::Git).is_some();
            Some(Ok(ContextOrigin::Repository { url: text.to_owned(), exact }))
        }
        Some(RemoteKind::Git) => {
            refused("write a repository as `https://.../NAME.git`, `git://...` or `git@HOST:PATH`")
        }
        // Engines make a folder of such a url with one file, `context`, or fail; ADD names the file that it makes.
        Some(RemoteKind::Http) => refused(
            "fetch files with `ADD --checksum=... URL` in the Dockerfile; of a repository, the path ends in `.git`",
        ),
        None if taken => {
            refused("it is a folder, `image:NAME`, `docker-image://...` or the url of a git repository")
        }
        None => None,
    }
}

/// True if `name` can stand after FROM and is not `scratch`, the image without any content.
fn is_image(name: &str) -> bool {
    let (name, digest) = name.split_once('@').map_or((name, None), |(name, digest)| (name, Some(digest)));
    let digest_is_one = digest.is_none_or(|digest| digest.parse::<Digest>().is_ok());
    digest_is_one && name != "scratch" && name.parse::<Reference>().is_ok()
}
