//! The counts and the failures of a run so far, which a renderer shows at the end. Start with [`Tally`], which follows
//! the events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::{EnvironmentName, ImageName};
use crate::events::BuildFailure;
use crate::events::{Event, ImageOutcome};

use super::failure::{Failure, LOG_LINES};
use super::text;
use super::warning::Warning;

/// The path of each image's Dockerfile, from the repository's root.
pub type Dockerfiles = BTreeMap<ImageName, String>;

/// The counts, the failures and the environment of a run, from the events so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    dockerfiles: Dockerfiles,
    environment: Option<EnvironmentName>,
    local: bool,
    built: usize,
    reused: usize,
    kept: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<Failure>,
    deployment_log: VecDeque<String>,
    /// The warnings that were shown.
    warned: BTreeSet<String>,
}

impl Tally {
    pub(super) fn new(dockerfiles: Dockerfiles) -> Self {
        Self { dockerfiles, ..Self::default() }
    }

    /// Counts `event`. Returns the failure if `event` tells of one.
    pub(super) fn follow(&mut self, event: &Event) -> Option<&Failure> {
        let failure = match event {
            Event::RunStarted { environment, commit, .. } => {
                self.environment.clone_from(environment);
                self.local = commit.is_none();
                None
            }
            Event::ImageFinished { image, outcome, .. } => self.finished(image, outcome),
            Event::PushFailed { image, error } => {
                self.built = self.built.saturating_sub(1);
                self.failed += 1;
                Some(self.failure(image, error, None))
            }
            Event::DeployStarted { environment, .. } => {
                self.environment = Some(environment.clone());
                self.deployment_log.clear();
                None
            }
            Event::DeployLog { line } => {
                self.deployment_log.push_back(line.clone());
                if self.deployment_log.len() > LOG_LINES {
                    self.deployment_log.pop_front();
                }
                None
            }
            Event::DeployFinished { error: Some(error), .. } => Some(Failure::Deployment {
                environment: self.environment.clone(),
                error: error.clone(),
                log: self.deployment_log.drain(..).collect(),
            }),
            _ => None,
        }?;
        self.failures.push(failure);
        self.failures.last()
    }

    /// The warning that `event` tells of. None for a warning that was shown before: of an earlier attempt, or of another
    /// image with the same Dockerfile.
    pub(super) fn warning<'a>(&'a mut self, event: &'a Event) -> Option<Warning<'a>> {
        let Event::ImageWarning { image, warning: told } = event else { return None };
        let dockerfile = self.dockerfiles.get(image).map(String::as_str);
        let warning = Warning { image, dockerfile, told };
        self.warned.insert(warning.line()).then_some(warning)
    }

    fn finished(&mut self, image: &ImageName, outcome: &ImageOutcome) -> Option<Failure> {
        match outcome {
            ImageOutcome::Built { .. } => self.built += 1,
            ImageOutcome::Reused => self.reused += 1,
            ImageOutcome::Kept => self.kept += 1,
            ImageOutcome::Skipped { .. } => self.skipped += 1,
            ImageOutcome::Failed { error, failure } => {
                self.failed += 1;
                return Some(self.failure(image, error, failure.as_ref()));
            }
        }
        None
    }

    fn failure(&self, image: &ImageName, error: &str, details: Option<&BuildFailure>) -> Failure {
        Failure::Image {
            image: image.clone(),
            error: error.to_owned(),
            details: details.cloned(),
            dockerfile: self.dockerfiles.get(image).cloned(),
            local: self.local,
        }
    }

    /// The failures, in the order in which they happened.
    pub(super) fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// The number of images that are done.
    pub(super) fn images_done(&self) -> usize {
        self.built + self.reused + self.kept + self.failed + self.skipped
    }

    /// The run's summary in a line, such as `failed after 3.2s: 1 failed, 2 kept`.
    pub(super) fn summary(&self, exit_code: u8, milliseconds: u64) -> String {
        let verdict = match exit_code {
            0 => "finished in",
            130 => "interrupted after",
            _ => "failed after",
        };
        let counts = [
            (self.failed, "failed"),
            (self.skipped, "skipped"),
            (self.built, "built"),
            (self.reused, "reused"),
            (self.kept, "kept"),
        ];
        let counted: Vec<_> = counts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        let images = if counted.is_empty() { "no images".to_owned() } else { counted.join(", ") };
        format!("{verdict} {}: {images}", text::milliseconds(milliseconds))
    }
}
