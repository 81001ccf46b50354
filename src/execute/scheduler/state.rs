//! The state of a run: the jobs that wait, run and have ended. Start with [`State`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Job, JobOutcome};
use crate::config::ImageName;
use crate::engine::EngineError;
use crate::execute::pool::{Number, Place, Pool, Wish};

/// The jobs of a run by the names of their images, and the outcomes of the images.
pub(super) struct State {
    pub(super) jobs: BTreeMap<ImageName, Job>,
    /// The waiting images, in the order in which they would start if all were ready.
    waiting: Vec<ImageName>,
    /// The built images, each with the place that has the image: one builder's store, or the registry.
    built: BTreeMap<ImageName, Where>,
    /// The builders that refused an image, by image.
    refused: BTreeMap<ImageName, BTreeSet<Number>>,
    /// The builders that were lost while they built or pushed an image, one for each loss, by image.
    lost_with: BTreeMap<ImageName, Vec<Number>>,
    /// The error of the last build of an image, by image.
    errors: BTreeMap<ImageName, EngineError>,
    /// The images whose end was told: a build that ended well, or an image that was skipped.
    told: BTreeSet<ImageName>,
    pub(super) building: usize,
    stopped: bool,
    pub(super) outcomes: BTreeMap<ImageName, JobOutcome>,
}

/// The place that a built image can be had from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// The store of the builder that built the image.
    At(Number),
    /// The registry, which every builder reaches.
    Everywhere,
}

/// The next action of a run.
pub(super) enum Next {
    /// Start a job on a builder.
    Start(Box<Job>, Number),
    /// Give up an image that no builder is left for, with the error.
    GiveUp(ImageName, EngineError),
}

impl State {
    pub(super) fn new(jobs: Vec<Job>) -> Self {
        let jobs: BTreeMap<ImageName, Job> =
            jobs.into_iter().map(|job| (job.request.image.clone(), job)).collect();
        let mut waiting: Vec<ImageName> = jobs.keys().cloned().collect();
        let chain = chains(&jobs);
        waiting.sort_by_key(|image| std::cmp::Reverse(chain.get(image).copied().unwrap_or_default()));
        Self {
            jobs,
            waiting,
            built: BTreeMap::new(),
            refused: BTreeMap::new(),
            lost_with: BTreeMap::new(),
            errors: BTreeMap::new(),
            told: BTreeSet::new(),
            building: 0,
            stopped: false,
            outcomes: BTreeMap::new(),
        }
    }

    /// The next action: for the first waiting image that is ready and need not wait for a place. An image
    /// that starts counts as building from here on.
    pub(super) fn next<E>(&mut self, pool: &Pool<E>) -> Option<Next> {
        if self.stopped {
            return None;
        }
        let found = self.waiting.iter().enumerate().find_map(|(position, image)| {
            let job = self.jobs.get(image)?;
            let at = self.at(job)?;
            match pool.place(self.wish(job), at) {
                Place::Later => None,
                place => Some((position, place)),
            }
        });
        let (position, place) = found?;
        let image = self.waiting.remove(position);
        let job = self.jobs.get(&image)?;
        if let Place::On(number) = place {
            self.building += 1;
            return Some(Next::Start(Box::new(job.clone()), number));
        }
        let error = self.errors.remove(&image).unwrap_or_else(|| nobody(job));
        Some(Next::GiveUp(image, error))
    }

    /// The only builder that has all that `job` needs; the inner `None` stands for any builder, the outer one
    /// for a job that is not ready.
    #[expect(clippy::option_option, reason = "not ready, ready anywhere, ready at one builder")]
    fn at(&self, job: &Job) -> Option<Option<Number>> {
        let mut only = None;
        for need in &job.needs {
            match (*self.built.get(need)?, only) {
                (Where::Everywhere, _) => {}
                (Where::At(number), None) => only = Some(number),
                (Where::At(number), Some(other)) if number == other => {}
                // Two builders have one need each; one of the needs is at the registry soon.
                (Where::At(_), Some(_)) => return None,
            }
        }
        Some(only)
    }

    pub(super) fn wish<'a>(&'a self, job: &'a Job) -> Wish<'a> {
        let image = &job.request.image;
        let lost_with = self.lost_with.get(image).map(Vec::as_slice).unwrap_or_default();
        Wish { image, platforms: &job.request.platforms, refused: self.refused.get(image), lost_with }
    }

    /// True if a builder other than `number` is left for `image`.
    pub(super) fn has_other<E>(&self, image: &ImageName, pool: &Pool<E>, number: Number) -> bool {
        self.jobs.get(image).is_some_and(|job| pool.has_other(self.wish(job), number))
    }

    /// Lets an image wait again, for another builder, and keeps the error.
    pub(super) fn again(&mut self, image: ImageName, error: EngineError) {
        self.built.remove(&image);
        self.errors.insert(image.clone(), error);
        self.waiting.insert(0, image);
    }

    /// True if an image waits for nothing but a lost builder that may come back.
    pub(super) fn waits_for_lost<E>(&self, pool: &Pool<E>) -> bool {
        let ready = |job: &&Job| self.at(job).is_some();
        let mut jobs = self.waiting.iter().filter_map(|image| self.jobs.get(image)).filter(ready);
        !self.stopped && jobs.any(|job| pool.may_come_back(self.wish(job)))
    }

    /// Lets images wait again that a lost builder's store alone has, and that others are still to be built from.
    /// An image that is being pushed is built again when its push fails.
    pub(super) fn build_again(&mut self, lost: Number) {
        while let Some(image) = self.needed_of(lost) {
            self.built.remove(&image);
            self.waiting.insert(0, image);
        }
    }

    fn needed_of(&self, lost: Number) -> Option<ImageName> {
        let mut needs =
            self.waiting.iter().filter_map(|image| self.jobs.get(image)).flat_map(|job| &job.needs);
        let stays = |image: &&ImageName| self.jobs.get(*image).is_some_and(|job| job.push.is_empty());
        needs.find(|need| self.built.get(*need) == Some(&Where::At(lost)) && stays(need)).cloned()
    }

    /// Notes that the end of an image was told; returns true if the end was not told before.
    pub(super) fn tell(&mut self, image: &ImageName) -> bool {
        self.told.insert(image.clone())
    }

    pub(super) fn is_told(&self, image: &ImageName) -> bool {
        self.told.contains(image)
    }

    pub(super) fn is_built(&self, image: &ImageName) -> bool {
        self.built.contains_key(image)
    }

    pub(super) fn is_finished(&self, image: &ImageName) -> bool {
        self.outcomes.contains_key(image)
    }

    /// Notes that a builder was lost while it built or pushed an image.
    pub(super) fn lost_with(&mut self, image: &ImageName, number: Number) {
        self.lost_with.entry(image.clone()).or_default().push(number);
    }

    /// The number of builders that were lost while they built or pushed an image.
    pub(super) fn losses(&self, image: &ImageName) -> usize {
        self.lost_with.get(image).map_or(0, Vec::len)
    }

    /// Notes that a builder refused an image, and will never build it.
    pub(super) fn refuse(&mut self, image: &ImageName, number: Number) {
        self.refused.entry(image.clone()).or_default().insert(number);
    }

    pub(super) fn built(&mut self, image: &ImageName, number: Number) {
        self.built.insert(image.clone(), Where::At(number));
    }

    /// Notes that an image is at the registry.
    pub(super) fn pushed(&mut self, image: &ImageName) {
        self.built.insert(image.clone(), Where::Everywhere);
    }

    pub(super) fn finish(&mut self, image: ImageName, outcome: JobOutcome) {
        self.outcomes.insert(image, outcome);
    }

    pub(super) fn fail(&mut self, image: ImageName, error: EngineError, keep_going: bool) {
        self.stopped |= !keep_going;
        self.outcomes.insert(image, JobOutcome::Failed(error));
    }

    /// The images without an outcome yet.
    pub(super) fn left(&self) -> Vec<ImageName> {
        let all = self.jobs.iter().flat_map(|(image, job)| std::iter::once(image).chain(&job.twins));
        all.filter(|image| !self.is_finished(image)).cloned().collect()
    }

    pub(super) fn why_skipped(&self, image: &ImageName, cancelled: bool) -> String {
        let twin = self.jobs.values().find(|job| job.twins.contains(image));
        let mut needs = self.jobs.get(image).map(|job| &job.needs).into_iter().flatten();
        let missing = needs.find(|need| !self.is_built(need));
        match (cancelled, twin, missing) {
            (true, ..) => "the run was interrupted".to_owned(),
            (false, Some(job), _) => {
                format!("`{}`, whose key it shares, was not built", job.request.image)
            }
            (false, None, Some(need)) => format!("`{need}`, which it is built from, was not built"),
            (false, None, None) => {
                "another image failed; add `--keep-going` to build it all the same".to_owned()
            }
        }
    }
}

/// The error for an image with platforms that no builder builds for.
fn nobody(job: &Job) -> EngineError {
    let platforms: Vec<&str> = job.request.platforms.iter().map(crate::config::Platform::as_str).collect();
    EngineError::Unsupported {
        feature: format!("building for {}", platforms.join(" and ")),
        engine: "the builders that are left".to_owned(),
        hint: "declare a builder with these `platforms`, and see that it runs".to_owned(),
    }
}

/// The length of the longest chain of images that wait for an image, by image.
fn chains(jobs: &BTreeMap<ImageName, Job>) -> BTreeMap<ImageName, usize> {
    let mut chain: BTreeMap<ImageName, usize> = BTreeMap::new();
    // A plan has no circles, so no chain is longer than the number of jobs.
    for _ in 0..jobs.len() {
        let before = chain.clone();
        for (image, job) in jobs {
            let length = chain.get(image).copied().unwrap_or_default() + 1;
            for need in &job.needs {
                let entry = chain.entry(need.clone()).or_default();
                *entry = length.max(*entry);
            }
        }
        if chain == before {
            break;
        }
    }
    chain
}
