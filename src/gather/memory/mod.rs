//! The memory of images: keys that earlier runs computed. Most images of a commit are those of the commit
//! before.
//! Start with [`ImageMemory::recall`].
//!
//! A question about an image holds everything that the image's key can depend on: the code, the settings of
//! `build.toml` and `build.lock`, the ids of the image's trees, and the questions of the images that it is
//! built from. Where a key depends on more (a working tree, links, submodules, other contexts), the memory
//! keeps nothing.

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::key::{ImageKey, SharedFields};
use dtbuild_content::memo::{Memo, Question};
use serde::{Deserialize, Serialize};

use super::keys::Keyed;
use super::sources::Source;
use crate::changed::ChangedPath;
use crate::config::{Image, ImageName};
use crate::error::Result;
use crate::workspace::Workspace;
use questions::{Questions, nearby, of_changes, of_key};

mod known_images;
pub(crate) mod questions;

pub(crate) use known_images::{KnownImages, Recall};

/// The memory of a commit's images.
pub(crate) struct ImageMemory<'a> {
    workspace: &'a Workspace,
    questions: Questions<'a>,
}

/// The answer that an earlier run found about an image, and the question that it answers.
pub(crate) struct Known {
    pub(crate) answer: Answer,
    question: Question,
}

/// The facts that an earlier run found about an image.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) key: ImageKey,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) dependencies: BTreeSet<ImageName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// The first answer about an image, to the question without its dependencies.
#[derive(Serialize, Deserialize)]
enum First {
    /// The whole answer: the image is built from no other image.
    All(Answer),
    /// The images that this image is built from, directly or not: the whole question asks about these as well.
    Needs(BTreeSet<ImageName>),
}

impl<'a> ImageMemory<'a> {
    /// The memory of a commit's images; none for the working tree.
    pub(crate) fn of(workspace: &'a Workspace) -> Result<Option<Self>> {
        let questions = Questions::of(workspace)?;
        Ok(questions.map(|questions| Self { workspace, questions }))
    }

    /// The remembered answer about an image.
    pub(crate) fn recall(&self, image: &ImageName) -> Result<Option<Known>> {
        let Some(own) = self.questions.own(image)? else { return Ok(None) };
        let needs = match self.find(&own) {
            None => return Ok(None),
            Some(First::All(answer)) => return Ok(Some(Known { answer, question: own })),
            Some(First::Needs(needs)) => needs,
        };
        let Some(question) = self.questions.whole(own, &needs)? else { return Ok(None) };
        Ok(self.find(&question).map(|answer| Known { answer, question }))
    }

    /// The remembered fields that a key was computed from.
    pub(crate) fn fields(&self, key: &ImageKey) -> Option<SharedFields> {
        self.find(&of_key(key))
    }

    /// The changed paths that are inputs of an image, if the memory knows. `changes` are sorted.
    pub(crate) fn changed(
        &self,
        image: &Image,
        known: &Known,
        changes: &[ChangedPath],
    ) -> Option<Vec<ChangedPath>> {
        let nearby = nearby(image, changes);
        if nearby.is_empty() {
            return Some(Vec::new());
        }
        let inputs = self.memo().recall(&of_changes(&known.question, &nearby))?;
        let is_input = |place: usize| inputs.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1);
        let inputs = nearby.iter().enumerate().filter(|(place, _)| is_input(*place));
        let mut inputs: Vec<ChangedPath> = inputs.map(|(_, change)| (*change).clone()).collect();
        inputs.sort_unstable();
        Some(inputs)
    }

    /// Keeps the facts of an image that was read: its key, and the changed paths that are inputs.
    pub(crate) fn note(
        &self,
        image: &ImageName,
        (sources, keyed): (&BTreeMap<ImageName, Source>, &Keyed),
        (inputs, changes): (&[ChangedPath], &[ChangedPath]),
    ) -> Result<()> {
        let Some(source) = sources.get(image).filter(|source| source.trigger_notes().is_empty()) else {
            return Ok(());
        };
        let needs = needs(image, sources);
        let of_all = needs.iter().filter_map(|need| sources.get(need));
        if !of_all.chain([source]).all(|source| self.questions.is_all(source)) {
            return Ok(());
        }
        let Some(own) = self.questions.own(image)? else { return Ok(()) };
        let Some(whole) = self.questions.whole(own, &needs)? else { return Ok(()) };
        if !self.questions.reads_no_link(image)? {
            return Ok(());
        }
        let (dependencies, notes) = (source.dependencies.clone(), keyed.notes(source));
        let answer = Answer { key: keyed.key, dependencies, notes };
        if needs.is_empty() {
            self.keep(own, serde_json::to_vec(&First::All(answer)));
        } else {
            self.keep(own, serde_json::to_vec(&First::Needs(needs)));
            self.keep(whole, serde_json::to_vec(&answer));
        }
        self.keep(of_key(&keyed.key), serde_json::to_vec(&keyed.fields));
        let nearby = nearby(source.declared(&self.workspace.config)?, changes);
        let inputs: BTreeSet<&ChangedPath> = inputs.iter().collect();
        let mut bits = vec![0_u8; nearby.len().div_ceil(8)];
        let places = nearby.iter().enumerate().filter(|(_, change)| inputs.contains(**change));
        let count = places.map(|(place, _)| bits[place / 8] |= 1 << (place % 8)).count();
        // An input that is not nearby shows that more counts than the context: then nothing is kept.
        if !nearby.is_empty() && count == inputs.len() {
            self.keep(of_changes(&whole, &nearby), Ok(bits));
        }
        Ok(())
    }

    fn find<T: for<'de> Deserialize<'de>>(&self, question: &Question) -> Option<T> {
        serde_json::from_slice(&self.memo().recall(question)?).ok()
    }

    /// Keeps an answer that can be serialized. A memo that lacks an answer only costs time.
    fn keep(&self, question: Question, answer: serde_json::Result<Vec<u8>>) {
        if let (Ok(answer), None) = (answer, self.memo().recall(&question)) {
            self.memo().note(question, answer);
        }
    }

    fn memo(&self) -> &Memo {
        self.workspace.repository.memo()
    }
}

/// All that an image is built from, directly or not.
pub(super) fn needs(image: &ImageName, sources: &BTreeMap<ImageName, Source>) -> BTreeSet<ImageName> {
    let (mut found, mut open) = (BTreeSet::new(), vec![image]);
    while let Some(next) = open.pop() {
        for need in sources.get(next).into_iter().flat_map(|source| &source.dependencies) {
            if found.insert(need.clone()) {
                open.push(need);
            }
        }
    }
    found
}
