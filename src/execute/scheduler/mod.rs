//! The scheduler, which builds and pushes the images of a plan in parallel. Start with [`Scheduler::run`].
//!
//! An image starts when everything that the image is built from is built, a job is free and a builder has a
//! place. The head of the longest chain of dependents starts first. A push takes no job: pushes overlap the
//! builds that follow.
//!
//! With several builders, an image whose push goes on is only in the store of the builder that built it, so
//! images that are built from it are built there alone; from the registry every builder has the image. The images
//! that a lost builder was building, and those that it had built and not yet pushed, are built elsewhere at once.
//! The builder is asked again, with growing pauses, and builds again when it answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::state::{Next, State};
use super::attempt::Attempts;
use super::pool::{Builder, Number, Pool};
use crate::config::ImageName;
use crate::engine::{BuildRequest, Built, Engine, EngineError};
use crate::error::Failure as _;
use crate::events::{Event, EventSink, ImageOutcome};
use crate::reference::{Digest, Reference};

mod state;
#[cfg(test)]
mod tests;

/// The longest pause between two questions to a lost builder.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One content key to build, for one image or several.
#[derive(Clone)]
pub struct Job {
    /// The request to the engine; `request.image` names the job, and `request.names` has the twins' names
    /// too.
    pub request: BuildRequest,
    /// Further images of the same key, which share this build.
    pub twins: Vec<ImageName>,
    /// The names of the jobs that must be built before.
    pub needs: BTreeSet<ImageName>,
    /// The name to push each image under; an image without one stays in the engine's store.
    pub push: BTreeMap<ImageName, Reference>,
}

/// The outcome of an image in a run.
#[derive(Debug)]
pub enum JobOutcome {
    /// The image was built, and pushed if a push was asked for.
    Done {
        /// The digest at the registry, if the image was pushed.
        digest: Option<Digest>,
    },
    /// The image could not be built or pushed.
    Failed(EngineError),
    /// The image was not started, or did not end.
    Skipped {
        /// The reason, for the user.
        reason: String,
    },
}

/// A scheduler, which runs jobs on builders.
pub struct Scheduler<E> {
    /// The builders; at least one.
    pub builders: Vec<Builder<E>>,
    /// The most builds that run at a time, on all builders together; at least 1.
    pub jobs: usize,
    /// The switch that still builds the images which do not depend on a failed one.
    pub keep_going: bool,
    /// The receiver of the run's events.
    pub events: EventSink,
    /// The token that ends the run early.
    pub cancel: CancellationToken,
    /// The number of attempts at actions that fail for a passing reason.
    pub attempts: Attempts,
}

/// The work of a task of the scheduler.
#[derive(Clone)]
enum Work {
    Build { job: ImageName, on: Number, started: Instant },
    Push { job: ImageName, image: ImageName, on: Number },
}

/// The result of a task of the scheduler.
enum Ended {
    Build(Result<Built, EngineError>),
    Push(Result<Digest, EngineError>),
}

/// A run in progress.
struct Run<'a, E> {
    scheduler: &'a Scheduler<E>,
    pool: Pool<E>,
    state: State,
    tasks: JoinSet<Ended>,
    work: HashMap<Id, Work>,
    /// The digests of the images that this run pushed, by the names that were pushed.
    pushed: BTreeMap<Reference, Digest>,
    /// The questions to lost builders.
    questions: JoinSet<(Number, Result<(), EngineError>)>,
}

impl<E: Engine> Scheduler<E> {
    /// Runs all jobs, and returns the outcome of each image.
    pub async fn run(&self, jobs: Vec<Job>) -> BTreeMap<ImageName, JobOutcome> {
        let pool = Pool::new(self.builders.clone());
        let (state, tasks, work) = (State::new(jobs), JoinSet::new(), HashMap::new());
        let (pushed, questions) = (BTreeMap::new(), JoinSet::new());
        let mut run = Run { scheduler: self, pool, state, tasks, work, pushed, questions };
        run.pool.lost().into_iter().for_each(|number| run.ask(number));
        loop {
            run.start();
            let hopes = !run.questions.is_empty() && run.state.waits_for_lost(&run.pool);
            if run.tasks.is_empty() && !hopes {
                break;
            }
            tokio::select! {
                () = self.cancel.cancelled() => break,
                Some(ended) = run.tasks.join_next_with_id() => run.ended(ended),
                Some(answer) = run.questions.join_next() => {
                    // A question that broke is not asked again.
                    if let Ok((number, answer)) = answer {
                        run.answered(number, answer.is_ok());
                    }
                }
            }
        }
        run.questions.shutdown().await;
        // Dropping the builds cancels them at the engine.
        run.tasks.shutdown().await;
        run.finish()
    }
}

impl<E: Engine> Run<'_, E> {
    /// Starts all jobs that can start now.
    fn start(&mut self) {
        while self.state.building < self.scheduler.jobs.max(1) && !self.scheduler.cancel.is_cancelled() {
            match self.state.next(&self.pool) {
                None => break,
                Some(Next::Start(job, number)) => self.build(*job, number),
                Some(Next::GiveUp(image, error)) => self.fail(image, error, Instant::now()),
            }
        }
    }

    fn build(&mut self, mut job: Job, number: Number) {
        self.pool.started(number);
        job.request.pin(&self.pushed);
        let builder = self.pool.builder(number);
        let name = self.pool.is_several().then(|| builder.name.clone());
        let (engine, events) = (Arc::clone(&builder.engine), self.scheduler.events.clone());
        let image = job.request.image.clone();
        // Another builder is sooner than another attempt on this one.
        let elsewhere = self.state.has_other(&image, &self.pool, number);
        let attempts = self.scheduler.attempts.here(elsewhere);
        let work = Work::Build { job: image.clone(), on: number, started: Instant::now() };
        let task = self.tasks.spawn(async move {
            events.send(Event::ImageStarted { image: image.clone(), builder: name });
            Ended::Build(attempts.run(&image, &events, || engine.build(&job.request, &events)).await)
        });
        self.work.insert(task.id(), work);
    }

    fn push(&mut self, job: &ImageName, image: ImageName, reference: Reference, number: Number) {
        let (engine, events) = (Arc::clone(&self.pool.builder(number).engine), self.scheduler.events.clone());
        let attempts = self.scheduler.attempts;
        let work = Work::Push { job: job.clone(), image: image.clone(), on: number };
        let task = self.tasks.spawn(async move {
            let started = Instant::now();
            events.send(Event::PushStarted { image: image.clone(), reference: reference.clone() });
            let pushed = attempts.run(&image, &events, || engine.push(&image, &reference, &events)).await;
            if let Ok(digest) = &pushed {
                let (image, digest) = (image.clone(), digest.clone());
                events.send(Event::PushFinished { image, digest, milliseconds: milliseconds(started) });
            }
            Ended::Push(pushed)
        });
        self.work.insert(task.id(), work);
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(EngineError::Defect(error.to_string()))),
        };
        match (self.work.remove(&id), ended) {
            (Some(Work::Build { job, on, started }), ended) => {
                self.state.building -= 1;
                self.pool.ended(on);
                match ended {
                    Ok(Ended::Build(Ok(built))) => self.built(&job, &built, on, started),
                    Ok(Ended::Build(Err(error))) | Err(error) => self.not_built(job, error, on, started),
                    Ok(Ended::Push(_)) => {}
                }
            }
            (Some(Work::Push { job, image, on }), ended) => match ended {
                Ok(Ended::Push(Ok(digest))) => {
                    self.pushed(&job, image, digest);
                    self.state.pushed(&job);
                }
                Ok(Ended::Push(Err(error))) | Err(error) => self.not_pushed(job, image, error, on),
                Ok(Ended::Build(_)) => {}
            },
            (None, _) => {}
        }
    }

    fn built(&mut self, name: &ImageName, built: &Built, number: Number, started: Instant) {
        let Some(job) = self.state.jobs.get(name).cloned() else { return };
        self.state.built(name, number);
        if built.pushed.is_some() {
            self.state.pushed(name);
        }
        for image in std::iter::once(name).chain(&job.twins) {
            // A second build, of an image that a lost builder did not push, is no news.
            if self.state.tell(image) {
                let own = image == name;
                let outcome =
                    if own { ImageOutcome::Built { steps: built.steps } } else { ImageOutcome::Reused };
                self.image_finished(image, outcome, started);
            }
            if self.state.is_finished(image) {
                continue;
            }
            match (job.push.get(image), &built.pushed) {
                (Some(reference), None) => self.push(name, image.clone(), reference.clone(), number),
                (_, Some(digest)) => {
                    let event = Event::PushFinished {
                        image: image.clone(),
                        digest: digest.clone(),
                        milliseconds: milliseconds(started),
                    };
                    self.scheduler.events.send(event);
                    self.pushed(name, image.clone(), digest.clone());
                }
                (None, None) => self.state.finish(image.clone(), JobOutcome::Done { digest: None }),
            }
        }
    }

    /// Keeps the digest of a pushed image, for its outcome and for the builds that need the image.
    fn pushed(&mut self, job: &ImageName, image: ImageName, digest: Digest) {
        let reference = self.state.jobs.get(job).and_then(|job| job.push.get(&image));
        if let Some(reference) = reference {
            self.pushed.insert(reference.clone(), digest.clone());
        }
        self.state.finish(image, JobOutcome::Done { digest: Some(digest) });
    }

    fn not_built(&mut self, image: ImageName, error: EngineError, number: Number, started: Instant) {
        let elsewhere = self.state.has_other(&image, &self.pool, number);
        if elsewhere && self.is_loss(&image, &error) {
            self.build_elsewhere(image, error, number);
        } else if elsewhere && error.is_refusal() {
            self.state.refuse(&image, number);
            self.state.again(image, error);
        } else {
            self.fail(image, error, started);
        }
    }

    /// Handles a failed push. An image that was only in the store of a lost builder is built again elsewhere.
    fn not_pushed(&mut self, job: ImageName, image: ImageName, error: EngineError, number: Number) {
        if !self.is_loss(&job, &error) || !self.state.has_other(&job, &self.pool, number) {
            self.fail(image, error, Instant::now());
        } else if self.state.is_built(&job) {
            self.build_elsewhere(job, error, number);
        } else {
            // The push of a twin has put the job back already.
            self.lose(number, &error);
        }
    }

    /// True if an image lost a builder, and not too many before: the image may be the reason.
    fn is_loss(&self, image: &ImageName, error: &EngineError) -> bool {
        let most = usize::try_from(self.scheduler.attempts.most).unwrap_or(usize::MAX);
        error.is_lost() && self.state.losses(image) + 1 < most
    }

    /// Loses a builder, and lets an image wait for another one.
    fn build_elsewhere(&mut self, image: ImageName, error: EngineError, number: Number) {
        self.lose(number, &error);
        self.state.lost_with(&image, number);
        self.state.again(image, error);
        self.state.build_again(number);
    }

    fn lose(&mut self, number: Number, error: &EngineError) {
        if self.pool.lose(number) {
            let builder = self.pool.builder(number).name.clone();
            self.scheduler.events.send(Event::BuilderLost { builder, reason: error.advice() });
            self.ask(number);
        }
    }

    /// Asks a lost builder after a pause whether it is back.
    fn ask(&mut self, number: Number) {
        let pause = self.scheduler.attempts.pause_after(self.pool.ask(number), LONGEST_PAUSE);
        let engine = Arc::clone(&self.pool.builder(number).engine);
        self.questions.spawn(async move {
            tokio::time::sleep(pause).await;
            (number, engine.answers().await)
        });
    }

    fn answered(&mut self, number: Number, is_there: bool) {
        if !is_there {
            return self.ask(number);
        }
        self.pool.find(number);
        let builder = self.pool.builder(number).name.clone();
        self.scheduler.events.send(Event::BuilderBack { builder });
    }

    fn fail(&mut self, image: ImageName, error: EngineError, started: Instant) {
        if self.state.is_told(&image) {
            let event = Event::PushFailed { image: image.clone(), error: error.advice() };
            self.scheduler.events.send(event);
        } else {
            self.image_finished(&image, failure(&error), started);
        }
        self.state.fail(image, error, self.scheduler.keep_going);
    }

    fn image_finished(&self, image: &ImageName, outcome: ImageOutcome, started: Instant) {
        let (image, milliseconds) = (image.clone(), milliseconds(started));
        self.scheduler.events.send(Event::ImageFinished { image, outcome, milliseconds });
    }

    /// Gives an outcome to the images that were never started or did not end.
    fn finish(mut self) -> BTreeMap<ImageName, JobOutcome> {
        for image in self.state.left() {
            let reason = self.state.why_skipped(&image, self.scheduler.cancel.is_cancelled());
            let outcome = ImageOutcome::Skipped { reason: reason.clone() };
            if self.state.tell(&image) {
                self.image_finished(&image, outcome, Instant::now());
            }
            self.state.finish(image, JobOutcome::Skipped { reason });
        }
        self.state.outcomes
    }
}

fn failure(error: &EngineError) -> ImageOutcome {
    let failure = match error {
        EngineError::Failed(failure) => Some((**failure).clone()),
        _ => None,
    };
    ImageOutcome::Failed { error: error.advice(), failure }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
