//! The named contexts of a build, in the form that engines are given them. Start with [`Named`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::requests::{Digests, exact};
use crate::config::{ContextOrigin, Platform};
use crate::dockerfile::context_word;
use crate::engine::{ContextFolder, Contexts, NamedContext};
use crate::error::Result;
use crate::gather::{Gathered, Selections, Source};
use crate::workspace::Workspace;

/// The named contexts that a build uses, by their names in `build.toml`.
pub(crate) struct Named(BTreeMap<String, Context>);

struct Context {
    /// The name under which the engine knows the context.
    known: String,
    context: NamedContext,
}

impl Named {
    /// The named contexts of an image. The Dockerfile names other images itself, so the engine is given an
    /// image as a context only where the Dockerfile's use of its contexts cannot be told.
    pub(crate) fn of(
        workspace: &Workspace,
        (gathered, digests): (&Gathered, &Digests),
        (source, selections): (&Source, Option<&Selections>),
        platforms: &[Platform],
    ) -> Result<Self> {
        let mut named = BTreeMap::new();
        for (name, files) in source.contexts.snapshots(&workspace.repository, source.files, selections)? {
            named.insert(name, NamedContext::Folder(ContextFolder::new(files, platforms)?));
        }
        for (name, origin) in source.contexts.others() {
            let context = match origin {
                ContextOrigin::Repository { url, .. } => NamedContext::Remote(url.clone()),
                _ if !source.is_obscure() => continue,
                ContextOrigin::Image(image) => {
                    let declared = workspace.config.images.get(image).zip(gathered.key(image));
                    let Some((declared, key)) = declared else { continue };
                    NamedContext::Image(exact(declared.repository.keyed(&key), digests).to_string())
                }
                ContextOrigin::External(reference) => {
                    NamedContext::Image(gathered.pinned(reference).unwrap_or_else(|| reference.clone()))
                }
                ContextOrigin::Folder(_) => continue,
            };
            named.insert(name.to_owned(), context);
        }
        // BuildKit cannot build on a stage whose name a folder takes. The folder gets another name, which the
        // Dockerfile uses.
        let known = |name: &str| {
            if source.has_stage(name) { format!("dtbuild.local/{name}") } else { name.to_owned() }
        };
        let with_known =
            |(name, context): (String, _)| (name.clone(), Context { known: known(&name), context });
        Ok(Self(named.into_iter().map(with_known).collect()))
    }

    /// The replacements in the Dockerfile for engines that know named contexts.
    pub(crate) fn known(&self, mut replacements: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let renamed = self.0.iter().filter(|(name, context)| context.known != **name);
        replacements.extend(renamed.map(|(name, context)| (context_word(name), context.known.clone())));
        replacements
    }

    /// The contexts for the engine, with a second Dockerfile for engines without named contexts, where there
    /// can be one.
    pub(crate) fn contexts(self, source: &Source, mut replacements: BTreeMap<String, String>) -> Contexts {
        for (name, context) in &self.0 {
            if let NamedContext::Folder(folder) = &context.context {
                replacements.insert(context_word(name), folder.image.to_string());
            }
        }
        let plain =
            if self.0.is_empty() || source.is_obscure() { None } else { source.pin(&replacements).ok() };
        Contexts {
            named: self.0.into_values().map(|context| (context.known, context.context)).collect(),
            dockerfile: plain.map(Arc::from),
        }
    }
}
