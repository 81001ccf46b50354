//! The Dockerfiles of images and of all images that they are built from. Start with [`Sources::read`].
//!
//! The files that a Dockerfile reads can depend on the images that it is built from: on their variables, and on
//! their ONBUILD instructions, which may name further images. So analyses and look-ups of configurations take
//! turns until nothing new is learned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::ImageName;
use crate::dockerfile::{Analysis, Configs, PlatformImage, Rest};
use crate::error::Result;
use crate::git::Repository;
use crate::parallel;
use crate::plan::graph;
use crate::workspace::Workspace;

mod base_digests;
mod bases;
mod lost;
mod source;
mod stand_ins;
mod words;
mod written;

pub(crate) use base_digests::BaseDigests;
pub(crate) use bases::Bases;
pub(crate) use source::Source;
pub(crate) use written::machine_platform;

use words::Words;
use written::Written;

/// The images of a query together with the images that they are built from.
pub(crate) struct Sources {
    /// The images, each after the images that it is built from.
    pub(crate) order: Vec<ImageName>,
    /// The images by name.
    pub(crate) images: BTreeMap<ImageName, Source>,
}

/// An image that is being read.
struct Draft<'a> {
    written: Written<'a>,
    /// The configurations of the images that this image is built from, as the analyses had them.
    built: Configs,
    /// One analysis per platform.
    analyses: Vec<Analysis>,
    /// The images of `build.toml` that this image is built from.
    dependencies: BTreeSet<ImageName>,
}

/// The images that are being read, by name.
type Drafts<'a> = BTreeMap<ImageName, Draft<'a>>;

/// The fewest Dockerfiles that are worth a thread.
const SHARE: usize = 8;

impl Sources {
    /// Reads the Dockerfiles of the images in `roots` and of the images that they are built from.
    pub(crate) async fn read(
        workspace: &Workspace,
        bases: &mut Bases<'_>,
        roots: &BTreeSet<ImageName>,
    ) -> Result<Self> {
        if roots.is_empty() {
            return Ok(Self { order: Vec::new(), images: BTreeMap::new() });
        }
        let words = Words::of(&workspace.config);
        let mut drafts = Drafts::new();
        let mut learned = BTreeSet::new();
        let order = loop {
            let mut grown = grow(workspace, (bases, &words), roots, &mut drafts)?;
            let order = order(&drafts)?;
            for name in &order {
                grown |= renew(bases, &learned, name, &mut drafts)?;
            }
            if grown {
                continue;
            }
            let all = || drafts.values().flat_map(|draft| &draft.analyses);
            let names = all().flat_map(|analysis| &analysis.bases).map(|base| base.name.clone()).collect();
            bases.resolve(&names).await?;
            let unread = all().flat_map(|analysis| &analysis.unread).cloned().collect();
            learned = bases.learn(&unread).await?;
            if learned.is_empty() {
                break order;
            }
        };
        let images = drafts.into_iter().map(|(name, draft)| {
            let source = Source::new(workspace, draft.written, draft.dependencies, (draft.analyses, bases))?;
            Ok((name, source))
        });
        Ok(Self { images: images.collect::<Result<_>>()?, order })
    }
}

impl<'a> Draft<'a> {
    fn new(written: Written<'a>, bases: &Configs, built: Configs) -> Result<Self> {
        let analyses = written.analyse(bases, &built)?;
        let dependencies = written.dependencies(&analyses);
        Ok(Self { written, built, analyses, dependencies })
    }

    /// True if the newly learned configurations can change the analysis of this image.
    fn depends_on(&self, learned: &BTreeSet<PlatformImage>) -> bool {
        let uses = |analysis: &Analysis| {
            let rest = analysis.config.as_ref().map(|config| &config.rest);
            !analysis.unread.is_disjoint(learned)
                || matches!(rest, Some(Rest::Of(image)) if learned.contains(image))
        };
        !learned.is_empty() && self.analyses.iter().any(uses)
    }
}

/// The names of the images, each after the images that it is built from.
fn order(drafts: &Drafts<'_>) -> Result<Vec<ImageName>> {
    let needs: Vec<_> = drafts.iter().map(|(name, draft)| (name, &draft.dependencies)).collect();
    Ok(graph::order(&needs)?.into_iter().map(|place| needs[place].0.clone()).collect())
}

/// Reads the Dockerfiles that are needed and were not read yet. True if there were any.
fn grow<'a>(
    workspace: &'a Workspace,
    (bases, words): (&Bases<'_>, &Arc<Words<'a>>),
    roots: &BTreeSet<ImageName>,
    drafts: &mut Drafts<'a>,
) -> Result<bool> {
    let (config, files, repository) = (&workspace.config, workspace.files, &workspace.repository);
    let configs = bases.configs();
    let read = |repository: &Repository, name: &ImageName| {
        let written = Written::read(repository, files, (config, words), name)?;
        Draft::new(written, configs, Configs::new())
    };
    let needed = drafts.values().flat_map(|draft| &draft.dependencies);
    let mut next: BTreeSet<ImageName> = roots.iter().chain(needed).cloned().collect();
    let mut grown = false;
    loop {
        let unread: Vec<ImageName> =
            std::mem::take(&mut next).into_iter().filter(|name| !drafts.contains_key(name)).collect();
        if unread.is_empty() {
            return Ok(grown);
        }
        grown = true;
        let threads = parallel::threads(unread.len(), SHARE);
        let read = parallel::map(&unread, threads, repository, || repository.for_thread(), read);
        for (name, draft) in unread.into_iter().zip(read) {
            let draft = draft?;
            next.extend(draft.dependencies.iter().cloned());
            drafts.insert(name, draft);
        }
    }
}

/// Analyses an image again if more is known about the images that it is built from. True if its dependencies
/// changed.
fn renew(
    bases: &Bases<'_>,
    learned: &BTreeSet<PlatformImage>,
    name: &ImageName,
    drafts: &mut Drafts<'_>,
) -> Result<bool> {
    let Some(draft) = drafts.get(name) else { return Ok(false) };
    let analyses_of = |need: &ImageName| {
        let draft = drafts.get(need)?;
        Some((&draft.written, draft.analyses.as_slice()))
    };
    let built = draft.written.configs(&draft.dependencies, analyses_of);
    if built == draft.built && !draft.depends_on(learned) {
        return Ok(false);
    }
    let analyses = draft.written.analyse(bases.configs(), &built)?;
    let dependencies = draft.written.dependencies(&analyses);
    let more = dependencies != draft.dependencies;
    if let Some(draft) = drafts.get_mut(name) {
        (draft.built, draft.analyses, draft.dependencies) = (built, analyses, dependencies);
    }
    Ok(more)
}
