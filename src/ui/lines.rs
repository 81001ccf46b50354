//! Events as lines of text, for the renderers [`Plain`](super::plain::Plain) and [`GitHub`](super::github::GitHub).
//! Start with [`Lines::of`].

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::ImageName;
use crate::events::StepCount;
use crate::events::{Event, ImageOutcome, ImageOutline, StepState};
use crate::plan::Decision;

use super::clock::Clock;
use super::plan::phrases;
use super::text;

/// The least time between two lines about the progress of a push, which show that the push is not stuck.
const PUSH_INTERVAL: Duration = Duration::from_secs(10);

/// The subject of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Run,
    Image(ImageName),
    Deployment,
}

/// Text about a subject, free of control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) subject: Subject,
    pub(super) text: String,
}

impl Subject {
    /// The word in front of the subject's lines.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Run => "run",
            Self::Image(image) => image.as_str(),
            Self::Deployment => "deploy",
        }
    }
}

/// Turns events into lines, with the state of steps and pushes that later lines need.
#[derive(Debug)]
pub(super) struct Lines {
    clock: Clock,
    /// The start of each step under way, from the run's start.
    started: BTreeMap<(ImageName, String), Duration>,
    /// The step that an image's last line was about: parallel stages take turns.
    current: BTreeMap<ImageName, String>,
    /// The time of the last line about each push, from the run's start.
    pushes: BTreeMap<ImageName, Duration>,
}

impl Lines {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, started: BTreeMap::new(), current: BTreeMap::new(), pushes: BTreeMap::new() }
    }

    /// The lines for `event`; none for an event that a log is better off without. Warnings and the end of the run have
    /// no line here: they need what the [`Tally`](super::tally::Tally) knows.
    pub(super) fn of(&mut self, event: &Event) -> Vec<Line> {
        match event {
            Event::RunStarted { environment, commit, images } => {
                let place = environment.as_ref().map(ToString::to_string);
                let opening = line(Subject::Run, opening(place, commit.as_deref(), images));
                let causes = images.iter().filter(|outline| !outline.reasons.is_empty());
                let causes = causes.flat_map(|outline| {
                    about(&outline.image, format!("to be built: {}", phrases(&outline.reasons).join("; ")))
                });
                [opening].into_iter().chain(causes).collect()
            }
            Event::ImageStarted { image, builder: None } => about(image, "build started"),
            Event::ImageStarted { image, builder: Some(builder) } => {
                about(image, format!("build started on {}", text::name(builder)))
            }
            Event::ImageStep { image, step, state } => self.step(image, step, *state),
            Event::ImageLog { image, step, line } => self.log(image, step, line),
            Event::ImageFinished { image, outcome, milliseconds } => {
                self.current.remove(image);
                self.started.retain(|(other, _), _| other != image);
                about(image, ending(outcome, *milliseconds))
            }
            Event::PushStarted { image, reference } => {
                self.pushes.insert(image.clone(), self.clock.now());
                about(image, format!("pushing {reference}"))
            }
            Event::PushProgress { image, sent, total } => self.push(image, *sent, *total),
            Event::PushFinished { image, digest, milliseconds } => {
                self.pushes.remove(image);
                about(image, format!("pushed {digest} in {}", text::milliseconds(*milliseconds)))
            }
            Event::PushFailed { image, .. } => {
                self.pushes.remove(image);
                about(image, "push FAILED")
            }
            Event::BuilderLost { builder, reason } => {
                let (builder, reason) = (text::name(builder), text::one_line(reason));
                vec![line(Subject::Run, format!("builder {builder} is lost, others take over: {reason}"))]
            }
            Event::BuilderBack { builder } => {
                vec![line(Subject::Run, format!("builder {} is back", text::name(builder)))]
            }
            Event::Retrying { image, reason, attempt } => {
                about(image, format!("attempt {attempt} follows: {}", text::one_line(reason)))
            }
            Event::Notice { text } => vec![line(Subject::Run, format!("note: {}", text::one_line(text)))],
            Event::TagMoved { image, reference, digest } => {
                about(image, format!("{reference} is now {digest}"))
            }
            Event::DeployStarted { environment, trigger } => {
                deployment(format!("to {environment} with {}", text::name(trigger)))
            }
            Event::DeployLog { line } => deployment(format!("  {}", text::log_line(line))),
            Event::DeployFinished { error: None, milliseconds } => {
                deployment(format!("done in {}", text::milliseconds(*milliseconds)))
            }
            Event::DeployFinished { error: Some(_), milliseconds } => {
                deployment(format!("FAILED after {}", text::milliseconds(*milliseconds)))
            }
            Event::ImageWarning { .. } | Event::RunFinished { .. } => Vec::new(),
        }
    }

    fn step(&mut self, image: &ImageName, step: &str, state: StepState) -> Vec<Line> {
        let key = (image.clone(), step.to_owned());
        let shown = text::one_line(step);
        self.current.insert(image.clone(), step.to_owned());
        let text = match state {
            StepState::Started => {
                self.started.insert(key, self.clock.now());
                shown
            }
            StepState::Cached => format!("{shown} (cached)"),
            StepState::Done => format!("{shown} (done{})", self.took(&key)),
            StepState::Failed => format!("{shown} (FAILED{})", self.took(&key)),
        };
        about(image, text)
    }

    /// The time that a step took, as ` in 1.2s`; empty if the step's start was not seen.
    fn took(&mut self, step: &(ImageName, String)) -> String {
        let started = self.started.remove(step);
        started.map_or_else(String::new, |started| {
            format!(" in {}", text::duration(self.clock.now().saturating_sub(started)))
        })
    }

    fn log(&mut self, image: &ImageName, step: &str, printed: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.current.get(image).is_none_or(|current| current != step) {
            lines.extend(about(image, text::one_line(step)));
            self.current.insert(image.clone(), step.to_owned());
        }
        let now = self.clock.now();
        let started = self.started.get(&(image.clone(), step.to_owned())).copied().unwrap_or(now);
        let elapsed = text::duration(now.saturating_sub(started));
        lines.extend(about(image, format!("{elapsed:>7}  {}", text::log_line(printed)).trim_end()));
        lines
    }

    fn push(&mut self, image: &ImageName, sent: u64, total: u64) -> Vec<Line> {
        let now = self.clock.now();
        let last = self.pushes.entry(image.clone()).or_insert(now);
        if now.saturating_sub(*last) < PUSH_INTERVAL {
            return Vec::new();
        }
        *last = now;
        about(image, format!("pushing: {} of {}", text::bytes(sent), text::bytes(total)))
    }
}

fn line(subject: Subject, text: impl Into<String>) -> Line {
    Line { subject, text: text.into() }
}

fn about(image: &ImageName, text: impl Into<String>) -> Vec<Line> {
    vec![line(Subject::Image(image.clone()), text)]
}

fn deployment(text: impl Into<String>) -> Vec<Line> {
    vec![line(Subject::Deployment, text)]
}

/// The first line of a run, such as `staging at a1b2c3d: 1 to build, 2 kept`.
pub(super) fn opening(environment: Option<String>, commit: Option<&str>, images: &[ImageOutline]) -> String {
    let head = commit.map_or_else(|| "the working tree".into(), text::short_commit);
    let place =
        environment.map_or_else(|| head.to_string(), |environment| format!("{environment} at {head}"));
    let decisions = images.iter().map(|outline| outline.decision);
    format!("{place}: {}", counts(decisions))
}

/// The number of images per decision: `1 to build, 2 kept`.
pub(super) fn counts(decisions: impl Iterator<Item = Decision>) -> String {
    let (mut build, mut reuse, mut keep) = (0, 0, 0);
    for decision in decisions {
        match decision {
            Decision::Build => build += 1,
            Decision::Reuse => reuse += 1,
            Decision::Keep => keep += 1,
        }
    }
    let words = [(build, "to build"), (reuse, "reused"), (keep, "kept")];
    let words: Vec<_> = words
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if words.is_empty() { "no images".to_owned() } else { words.join(", ") }
}

/// The outcome of an image in words, such as `built in 12.3s: 4 steps, 1 cached`.
fn ending(outcome: &ImageOutcome, milliseconds: u64) -> String {
    let took = text::milliseconds(milliseconds);
    match outcome {
        ImageOutcome::Built { steps } => format!("built in {took}: {}", steps_counted(*steps)),
        ImageOutcome::Reused => "reused: an image of this key exists".to_owned(),
        ImageOutcome::Kept => "kept: it runs already".to_owned(),
        ImageOutcome::Failed { .. } => format!("FAILED after {took}"),
        ImageOutcome::Skipped { reason } => format!("skipped: {}", text::one_line(reason)),
    }
}

/// The number of steps in words: `4 steps, 1 cached`.
pub(super) fn steps_counted(steps: StepCount) -> String {
    format!("{}, {} cached", text::count(steps.total, "step"), steps.cached)
}
