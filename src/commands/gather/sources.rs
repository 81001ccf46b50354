//! The Dockerfiles of images and of all that they are built from. Start with [`Sources::read`].
//!
//! What a Dockerfile reads can depend on the images that it stands on: their variables, and the ONBUILD
//! instructions that they bring along, which may name further images. So analyses and configurations take turns
//! until nothing new is learned.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bases::Bases;
use super::source::Source;
use super::words::Words;
use super::written::Written;
use crate::commands::workspace::Workspace;
use crate::config::ImageName;
use crate::dockerfile::{Analysis, Configs, PlatformImage, Rest};
use crate::error::Result;
use crate::plan::graph;

/// Images with what they are built from.
pub(crate) struct Sources {
    /// Every image after those that it is built from.
    pub(crate) order: Vec<ImageName>,
    /// The images by name.
    pub(crate) images: BTreeMap<ImageName, Source>,
}

/// An image that is being read.
struct Draft {
    written: Written,
    /// What was known of the images that it is built from.
    built: Configs,
    /// One analysis per platform.
    analyses: Vec<Analysis>,
}

impl Sources {
    /// Reads the Dockerfiles of images and of what they are built from.
    pub(crate) fn read(
        workspace: &Workspace,
        bases: &mut Bases<'_>,
        roots: &BTreeSet<ImageName>,
    ) -> Result<Self> {
        let words = Words::of(&workspace.config);
        let mut drafts: BTreeMap<ImageName, Draft> = BTreeMap::new();
        let mut learned = BTreeSet::new();
        let order = loop {
            let mut grown = grow(workspace, (bases, &words), roots, &mut drafts)?;
            let needs = drafts.iter().map(|(name, draft)| (name.clone(), draft.dependencies()));
            let order = graph::order(&needs.collect())?;
            for name in &order {
                grown |= renew(bases, &learned, name, &mut drafts)?;
            }
            if grown {
                continue;
            }
            let all = || drafts.values().flat_map(|draft| &draft.analyses);
            let names = all().flat_map(|analysis| &analysis.bases).map(|base| base.name.clone()).collect();
            bases.resolve(&names)?;
            let unread = all().flat_map(|analysis| &analysis.unread).cloned().collect();
            learned = bases.learn(&unread)?;
            if learned.is_empty() {
                break order;
            }
        };
        let images = drafts.into_iter().map(|(name, draft)| {
            let source = Source::new(workspace, draft.written, draft.analyses)?;
            Ok((name, source))
        });
        Ok(Self { images: images.collect::<Result<_>>()?, order })
    }
}

impl Draft {
    fn dependencies(&self) -> BTreeSet<ImageName> {
        self.written.dependencies(&self.analyses)
    }

    /// Whether what was learned of these images can tell more of this one.
    fn depends_on(&self, learned: &BTreeSet<PlatformImage>) -> bool {
        let uses = |analysis: &Analysis| {
            let rest = analysis.config.as_ref().map(|config| &config.rest);
            !analysis.unread.is_disjoint(learned)
                || matches!(rest, Some(Rest::Of(image)) if learned.contains(image))
        };
        !learned.is_empty() && self.analyses.iter().any(uses)
    }
}

/// Reads what is needed and was not read yet; whether there was anything.
fn grow(
    workspace: &Workspace,
    (bases, words): (&Bases<'_>, &Rc<Words>),
    roots: &BTreeSet<ImageName>,
    drafts: &mut BTreeMap<ImageName, Draft>,
) -> Result<bool> {
    let mut next: Vec<ImageName> = roots.iter().cloned().collect();
    next.extend(drafts.values().flat_map(Draft::dependencies));
    let mut grown = false;
    while let Some(image) = next.pop() {
        if drafts.contains_key(&image) {
            continue;
        }
        let written = Written::read(workspace, words, &image)?;
        let analyses = written.analyse(bases.configs(), &Configs::new())?;
        let draft = Draft { written, built: Configs::new(), analyses };
        next.extend(draft.dependencies());
        drafts.insert(image, draft);
        grown = true;
    }
    Ok(grown)
}

/// Analyses an image again if more is known of what it is built from; whether it was.
fn renew(
    bases: &Bases<'_>,
    learned: &BTreeSet<PlatformImage>,
    name: &ImageName,
    drafts: &mut BTreeMap<ImageName, Draft>,
) -> Result<bool> {
    let Some(draft) = drafts.get(name) else { return Ok(false) };
    let analyses_of = |need: &ImageName| {
        let draft = drafts.get(need)?;
        Some((&draft.written, draft.analyses.as_slice()))
    };
    let built = draft.written.configs(&draft.dependencies(), analyses_of);
    if built == draft.built && !draft.depends_on(learned) {
        return Ok(false);
    }
    let analyses = draft.written.analyse(bases.configs(), &built)?;
    let more = draft.written.dependencies(&analyses) != draft.dependencies();
    if let Some(draft) = drafts.get_mut(name) {
        (draft.built, draft.analyses) = (built, analyses);
    }
    Ok(more)
}
