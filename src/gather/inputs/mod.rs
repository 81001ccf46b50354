//! All contexts of an image together: the part of each context that enters the key, and the contexts that read
//! a file. Start with [`Contexts`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bstr::BStr;
use dtbuild_content::memo::Asking;
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::sources::Selection;

use crate::changed::ChangedPath;
use crate::config::{ContextOrigin, FILE_NAME, Image, NamedContexts};
use crate::dockerfile::{Analysis, NamedContext};
use crate::error::Result;
use crate::git::Repository;
use crate::plan::{Reader, Reason, Unread};
use crate::workspace::Files;

mod context;
pub(crate) mod globs;
mod reads;
mod written;

pub(crate) use context::{Inputs, no_context};

use context::Place;
use reads::Reads;

/// The contexts that an image reads.
pub(crate) struct Contexts {
    /// The main context.
    pub(crate) main: Inputs,
    /// The named contexts that are folders and are used, by name.
    folders: BTreeMap<String, Inputs>,
    /// The origins of the other named contexts that are used, as `build.toml` declares them.
    others: BTreeMap<String, ContextOrigin>,
    /// The texts that stand for the other contexts in the key.
    identities: BTreeMap<String, String>,
    /// The contexts that are repositories without a fixed commit: a reason to build for each.
    stale: Vec<Reason>,
}

/// The selected files of each context.
pub(crate) struct Selections {
    main: Selection,
    folders: BTreeMap<String, Selection>,
    /// The digests and identities of the contexts as they enter the key, by name; the main context's name is
    /// empty.
    pub(crate) digests: BTreeMap<String, String>,
}

/// The part of one context that enters the key.
pub(crate) struct Part<'a> {
    /// The context's name; none for the main context.
    pub(crate) name: Option<&'a str>,
    /// The path of the context's folder.
    pub(crate) folder: &'a BStr,
    /// True if the whole context counts.
    pub(crate) whole: bool,
    /// The digest of the files.
    pub(crate) digest: &'a str,
    /// The files that the key covers.
    pub(crate) snapshot: Snapshot,
}

impl Selections {
    /// The selected files of the main context, and their digest.
    fn main(&self) -> Option<(&Selection, &str)> {
        Some((&self.main, self.digests.get("")?))
    }

    /// The selected files of the named context, and their digest; none where the context is no folder.
    fn folder(&self, name: &str) -> Option<(&Selection, &str)> {
        Some((self.folders.get(name)?, self.digests.get(name)?))
    }
}

impl Contexts {
    /// Reads the `.dockerignore` files of the contexts that are used.
    pub(crate) fn read(
        repository: &Repository,
        files: Files,
        image: &Image,
        written: &BTreeSet<PathBuf>,
        analyses: &[Analysis],
    ) -> Result<Self> {
        let dockerfile = image.dockerfile.to_string();
        let reads = Reads::new(dockerfile.clone(), analyses);
        let main = Inputs::read(repository, files, image, written, reads)?;
        let mut this = Self {
            main,
            folders: BTreeMap::new(),
            others: BTreeMap::new(),
            identities: BTreeMap::new(),
            stale: Vec::new(),
        };
        for (context, declared) in image.contexts.iter().filter(|(context, declared)| {
            analyses.iter().any(|analysis| is_used(analysis, context, &declared.origin))
        }) {
            if let ContextOrigin::Folder(folder) = &declared.origin {
                let reads = Reads::of_context(dockerfile.clone(), analyses, context);
                let what = format!("the context `{context}` of `{}`", image.name);
                let place = Place { folder: folder.clone(), what, line: declared.line };
                let inputs = Inputs::of_context(repository, files, image, place, written, reads)?;
                this.folders.insert(context.clone(), inputs);
                continue;
            }
            if let ContextOrigin::Repository { url, exact: false } = &declared.origin {
                let (file, line, url) = (FILE_NAME.to_owned(), declared.line, url.clone());
                this.stale.push(Reason::StaleRemote { file, line, url });
            }
            this.identities.insert(context.clone(), declared.written.clone());
            this.others.insert(context.clone(), declared.origin.clone());
        }
        Ok(this)
    }

    /// Finds the files that the Dockerfile reads from each context, and computes their digests.
    pub(crate) fn select(&self, repository: &Repository, files: Files) -> Result<Selections> {
        let main = self.main.select(repository, files)?;
        let mut digests = self.identities.clone();
        digests.insert(String::new(), main.digest.to_string());
        let mut folders = BTreeMap::new();
        for (name, inputs) in &self.folders {
            let selected = inputs.select(repository, files)?;
            digests.insert(name.clone(), selected.digest.to_string());
            folders.insert(name.clone(), selected.selection);
        }
        Ok(Selections { main: main.selection, folders, digests })
    }

    /// The files of each context that the key covers, the main context first.
    pub(crate) fn parts<'a>(
        &'a self,
        repository: &Repository,
        files: Files,
        selections: &'a Selections,
    ) -> Result<Vec<Part<'a>>> {
        let part = |(name, inputs, selection): (Option<&'a str>, &'a Inputs, &'a Selection)| {
            Ok(Part {
                name,
                folder: inputs.folder_path(),
                whole: selection.is_whole(),
                digest: &selections.digests[name.unwrap_or_default()],
                snapshot: inputs.snapshot(repository, files, selection)?,
            })
        };
        self.with(selections).map(part).collect()
    }

    /// The readers that make a path of the repository an input, or the reason why the path is none. The path
    /// need not exist.
    pub(crate) fn readers(
        &self,
        selections: &Selections,
        path: &BStr,
    ) -> std::result::Result<Vec<Reader>, Unread> {
        let (mut readers, mut unread) = (Vec::new(), Unread::NotCopied);
        let mut nearer = None;
        for (name, inputs, selection) in self.with(selections) {
            match inputs.readers(selection, path) {
                Ok(found) => readers
                    .extend(found.into_iter().filter(|reader| !readers.contains(reader)).collect::<Vec<_>>()),
                Err(why) if name.is_none() => unread = why,
                // A file outside of the main context may be in another context, whose reason says more.
                Err(why) if !matches!(why, Unread::Outside { .. }) => nearer = Some(why),
                Err(_) => {}
            }
        }
        if !readers.is_empty() {
            return Ok(readers);
        }
        Err(match (unread, nearer) {
            (Unread::Outside { .. }, Some(why)) => why,
            (unread, _) => unread,
        })
    }

    /// True if the ignore files have the same texts in `files`.
    pub(crate) fn has_rules_of(&self, repository: &Repository, files: Files) -> Result<bool> {
        for inputs in [&self.main].into_iter().chain(self.folders.values()) {
            if !inputs.has_rules_of(repository, files)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds the ignore files to a question.
    pub(crate) fn identify_rules(&self, asking: &mut Asking) {
        for inputs in [&self.main].into_iter().chain(self.folders.values()) {
            inputs.identify_rules(asking);
        }
    }

    /// The changed paths that are inputs. `changes` are sorted.
    pub(crate) fn changed<'c>(
        &self,
        selections: &Selections,
        changes: &'c [ChangedPath],
    ) -> BTreeSet<&'c ChangedPath> {
        let nearby = self.with(selections).flat_map(|(_, inputs, _)| inputs.nearby(changes));
        let is_input = |change: &&ChangedPath| {
            self.with(selections).any(|(_, inputs, read)| inputs.is_input(read, change.path.as_ref()))
        };
        nearby.filter(is_input).collect()
    }

    /// The remarks on sources whose digest is not exact or covers more than they read.
    pub(crate) fn notes(&self, selections: &Selections) -> Vec<String> {
        self.with(selections).flat_map(|(_, inputs, selection)| inputs.notes(selection)).collect()
    }

    /// The reasons to build for the repositories that the image uses without a fixed commit.
    pub(crate) fn stale(&self) -> impl Iterator<Item = &Reason> {
        self.stale.iter()
    }

    /// The files of the main context that are sent to a build, with `.dockerignore` applied. Unselected files
    /// that cannot be read are left out.
    pub(crate) fn sent(
        &self,
        repository: &Repository,
        files: Files,
        selections: Option<&Selections>,
    ) -> Result<Snapshot> {
        self.main.sent(repository, files, selections.and_then(Selections::main))
    }

    /// The files of each named folder that are sent to a build, by the context's name.
    pub(crate) fn snapshots(
        &self,
        repository: &Repository,
        files: Files,
        selections: Option<&Selections>,
    ) -> Result<BTreeMap<String, Snapshot>> {
        let sent = |(name, inputs): (&String, &Inputs)| {
            let selected = selections.and_then(|selections| selections.folder(name));
            Ok((name.clone(), inputs.sent(repository, files, selected)?))
        };
        self.folders.iter().map(sent).collect()
    }

    /// The named contexts that are no folders and that a build uses.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &ContextOrigin)> {
        self.others.iter().map(|(name, origin)| (name.as_str(), origin))
    }

    fn with<'a>(
        &'a self,
        selections: &'a Selections,
    ) -> impl Iterator<Item = (Option<&'a str>, &'a Inputs, &'a Selection)> {
        let folder = |(name, inputs): (&'a String, &'a Inputs)| {
            Some((Some(name.as_str()), inputs, selections.folders.get(name)?))
        };
        [(None, &self.main, &selections.main)].into_iter().chain(self.folders.iter().filter_map(folder))
    }
}

/// The contexts in the form that an analysis is given them.
pub(crate) fn for_analysis(contexts: &NamedContexts) -> BTreeMap<String, NamedContext> {
    let given = contexts.iter().map(|(name, context)| {
        let given = match &context.origin {
            ContextOrigin::Folder(_) | ContextOrigin::Repository { .. } => NamedContext::Files,
            ContextOrigin::Image(image) => NamedContext::Image(image.to_string()),
            ContextOrigin::External(reference) => NamedContext::External(reference.clone()),
        };
        (name.clone(), given)
    });
    given.collect()
}

/// True if a build can use the context. An image counts as used under this name even where another name leads
/// to it.
fn is_used(analysis: &Analysis, name: &str, origin: &ContextOrigin) -> bool {
    reads::is_obscure(analysis)
        || match origin {
            ContextOrigin::Folder(_) | ContextOrigin::Repository { .. } => {
                analysis.contexts.contains_key(name)
            }
            ContextOrigin::Image(image) => {
                analysis.dependencies.iter().any(|needed| needed.name == image.as_str())
            }
            ContextOrigin::External(reference) => analysis.bases.iter().any(|base| base.name == *reference),
        }
}
