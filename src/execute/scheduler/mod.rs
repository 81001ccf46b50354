//! Builds and pushes the images of a plan in parallel. Start with [`Scheduler::run`].
//!
//! An image starts when everything that it is built from is built and a job is free, the head of the
//! longest chain of dependents first. A push takes no job: it overlaps the builds that follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attempt::Attempts;
use super::events::{Event, EventSink, ImageOutcome};
use crate::config::ImageName;
use crate::engine::{BuildRequest, Built, Engine, EngineError};
use crate::reference::{Digest, Reference};

#[cfg(test)]
mod tests;

/// One image to build.
#[derive(Clone)]
pub struct Job {
    /// What the engine is told.
    pub request: BuildRequest,
    /// The jobs that must be built before.
    pub needs: BTreeSet<ImageName>,
    /// The name to push under; none to leave the image in the engine's store.
    pub push: Option<Reference>,
}

/// What became of a job.
#[derive(Debug)]
pub enum JobOutcome {
    /// It was built, and pushed when that was asked for.
    Done {
        /// The digest at the registry, when it was pushed.
        digest: Option<Digest>,
    },
    /// It could not be built or pushed.
    Failed(EngineError),
    /// It was not started.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// Runs jobs on an engine.
pub struct Scheduler<E> {
    /// What builds.
    pub engine: Arc<E>,
    /// How many builds run at a time; at least 1.
    pub jobs: usize,
    /// Whether images that do not depend on a failed one are still built.
    pub keep_going: bool,
    /// Where to report.
    pub events: EventSink,
    /// Ends the run early.
    pub cancel: CancellationToken,
    /// How often what failed for a passing reason is tried.
    pub attempts: Attempts,
}

/// Something that a task of the scheduler ended with.
enum Ended {
    Build(ImageName, Instant, Result<Built, EngineError>),
    Push(ImageName, Result<Digest, EngineError>),
}

impl<E: Engine> Scheduler<E> {
    /// Runs all jobs and says what became of each.
    pub async fn run(&self, jobs: Vec<Job>) -> BTreeMap<ImageName, JobOutcome> {
        let mut state = State::new(jobs);
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        loop {
            while state.building < self.jobs.max(1) && !self.cancel.is_cancelled() {
                let Some(job) = state.start_next() else { break };
                self.spawn_build(&mut tasks, job);
            }
            let ended = tokio::select! {
                () = self.cancel.cancelled() => break,
                ended = tasks.join_next() => ended,
            };
            match ended {
                None => break,
                Some(Ok(ended)) => self.ended(ended, &mut state, &mut tasks),
                // A task that panicked or was aborted reports nothing; its job is told below.
                Some(Err(_)) => state.building = state.building.saturating_sub(1),
            }
        }
        // Dropping the builds cancels them at the engine.
        tasks.shutdown().await;
        self.finish(state)
    }

    fn spawn_build(&self, tasks: &mut JoinSet<Ended>, job: Job) {
        let (engine, events, attempts) = (Arc::clone(&self.engine), self.events.clone(), self.attempts);
        tasks.spawn(async move {
            let image = job.request.image.clone();
            let started = Instant::now();
            events.send(Event::ImageStarted { image: image.clone() });
            let build = attempts.run(&image, &events, || engine.build(&job.request, &events)).await;
            Ended::Build(image, started, build)
        });
    }

    fn spawn_push(&self, tasks: &mut JoinSet<Ended>, image: ImageName, reference: Reference) {
        let (engine, events, attempts) = (Arc::clone(&self.engine), self.events.clone(), self.attempts);
        tasks.spawn(async move {
            let started = Instant::now();
            events.send(Event::PushStarted { image: image.clone(), reference: reference.clone() });
            let pushed = attempts.run(&image, &events, || engine.push(&image, &reference, &events)).await;
            if let Ok(digest) = &pushed {
                let (image, digest) = (image.clone(), digest.clone());
                events.send(Event::PushFinished { image, digest, milliseconds: milliseconds(started) });
            }
            Ended::Push(image, pushed)
        });
    }

    fn ended(&self, ended: Ended, state: &mut State, tasks: &mut JoinSet<Ended>) {
        match ended {
            Ended::Build(image, started, Ok(built)) => {
                self.image_finished(&image, ImageOutcome::Built { steps: built.steps }, started);
                state.built(&image);
                match (state.push_reference(&image), built.pushed) {
                    (Some(reference), None) => self.spawn_push(tasks, image, reference),
                    (_, digest) => state.finish(image, JobOutcome::Done { digest }),
                }
            }
            Ended::Build(image, started, Err(error)) => {
                state.building -= 1;
                self.image_finished(&image, failure(&error), started);
                state.fail(image, error, self.keep_going);
            }
            Ended::Push(image, Ok(digest)) => state.finish(image, JobOutcome::Done { digest: Some(digest) }),
            Ended::Push(image, Err(error)) => {
                self.image_finished(&image, failure(&error), Instant::now());
                state.fail(image, error, self.keep_going);
            }
        }
    }

    fn image_finished(&self, image: &ImageName, outcome: ImageOutcome, started: Instant) {
        let (image, milliseconds) = (image.clone(), milliseconds(started));
        self.events.send(Event::ImageFinished { image, outcome, milliseconds });
    }

    /// Accounts for the jobs that were never started or did not end.
    fn finish(&self, mut state: State) -> BTreeMap<ImageName, JobOutcome> {
        for image in state.jobs.keys() {
            if state.outcomes.contains_key(image) {
                continue;
            }
            let reason = state.why_skipped(image, self.cancel.is_cancelled());
            let outcome = ImageOutcome::Skipped { reason: reason.clone() };
            self.events.send(Event::ImageFinished { image: image.clone(), outcome, milliseconds: 0 });
            state.outcomes.insert(image.clone(), JobOutcome::Skipped { reason });
        }
        state.outcomes
    }
}

/// What is waiting, what runs, what ended.
struct State {
    jobs: BTreeMap<ImageName, Job>,
    /// The waiting images in the order in which they are to start, were they all ready.
    waiting: Vec<ImageName>,
    built: BTreeSet<ImageName>,
    building: usize,
    stopped: bool,
    outcomes: BTreeMap<ImageName, JobOutcome>,
}

impl State {
    fn new(jobs: Vec<Job>) -> Self {
        let jobs: BTreeMap<ImageName, Job> =
            jobs.into_iter().map(|job| (job.request.image.clone(), job)).collect();
        let mut waiting: Vec<ImageName> = jobs.keys().cloned().collect();
        let chain = chains(&jobs);
        waiting.sort_by_key(|image| std::cmp::Reverse(chain.get(image).copied().unwrap_or_default()));
        let (built, outcomes) = (BTreeSet::new(), BTreeMap::new());
        Self { jobs, waiting, built, building: 0, stopped: false, outcomes }
    }

    fn start_next(&mut self) -> Option<Job> {
        if self.stopped {
            return None;
        }
        let ready = |image: &ImageName| {
            self.jobs.get(image).is_some_and(|job| job.needs.iter().all(|need| self.built.contains(need)))
        };
        let position = self.waiting.iter().position(ready)?;
        let image = self.waiting.remove(position);
        self.building += 1;
        self.jobs.get(&image).cloned()
    }

    fn built(&mut self, image: &ImageName) {
        self.building -= 1;
        self.built.insert(image.clone());
    }

    fn push_reference(&self, image: &ImageName) -> Option<Reference> {
        self.jobs.get(image)?.push.clone()
    }

    fn finish(&mut self, image: ImageName, outcome: JobOutcome) {
        self.outcomes.insert(image, outcome);
    }

    fn fail(&mut self, image: ImageName, error: EngineError, keep_going: bool) {
        self.stopped |= !keep_going;
        self.outcomes.insert(image, JobOutcome::Failed(error));
    }

    fn why_skipped(&self, image: &ImageName, cancelled: bool) -> String {
        let mut needs = self.jobs.get(image).map(|job| &job.needs).into_iter().flatten();
        let missing = needs.find(|need| !self.built.contains(*need));
        match (cancelled, missing) {
            (true, _) => "the run was interrupted".to_owned(),
            (false, Some(need)) => format!("`{need}`, which it is built from, was not built"),
            (false, None) => "another image failed; add `--keep-going` to build it all the same".to_owned(),
        }
    }
}

/// For each image, the length of the longest chain of images that wait for it.
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

fn failure(error: &EngineError) -> ImageOutcome {
    let failure = match error {
        EngineError::Failed(failure) => Some((**failure).clone()),
        _ => None,
    };
    ImageOutcome::Failed { error: error.to_string(), failure }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
