//! The renderer for terminals: one line per image, redrawn; failures appear above the lines when they happen. Start
//! with [`Tty`]; [`Row`] is one line.
//!
//! If there are more images than the terminal has lines, only images under way have a line: an image that is done
//! moves above the lines, and images that wait are a number. The cursor is never hidden, so an interrupted run leaves
//! a terminal that works.

use std::collections::BTreeMap;
use std::io::{self, Write};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use crate::config::ImageName;
use crate::events::{Event, ImageOutcome, ImageOutline, StepState};

use super::Renderer;
use super::clock::Clock;
use super::lines::{opening, steps_counted};
use super::style::Palette;
use super::tally::{Dockerfiles, Tally};
use super::text;

mod row;

use row::{Look, Mark, Row};

/// The name of the deployment's row.
const DEPLOYMENT: &str = "deploy";

/// The number of lines that are not images: the deployment, the summary, and the prompt to come.
const OTHER_LINES: usize = 3;

/// The terminal on which the lines are drawn.
struct Screen {
    target: ProgressDrawTarget,
    /// The number of lines and of columns at the start of the run.
    size: (u16, u16),
    /// The stream to the terminal, for text after the last line.
    out: Box<dyn Write + Send>,
    /// True if spinners turn and clocks run between events; tests hold them still.
    live: bool,
}

/// The renderer that draws the run's lines on a terminal.
pub(super) struct Tty {
    bars: MultiProgress,
    size: (u16, u16),
    out: Box<dyn Write + Send>,
    look: Look,
    tally: Tally,
    rows: BTreeMap<ImageName, Row>,
    deployment: Option<Row>,
    /// The last row: the number of images that are done, if there is a crowd; at the end of the run, the summary.
    summary: Option<Row>,
    images: usize,
    /// True if there are more images than lines: a crowd.
    crowd: bool,
}

impl Tty {
    pub(super) fn on_stderr(palette: Palette, clock: Clock, dockerfiles: Dockerfiles) -> Self {
        let screen = Screen {
            target: ProgressDrawTarget::stderr(),
            size: Term::stderr().size(),
            out: Box::new(io::stderr()),
            live: true,
        };
        Self::new(screen, palette, clock, dockerfiles)
    }

    fn new(screen: Screen, palette: Palette, clock: Clock, dockerfiles: Dockerfiles) -> Self {
        let Screen { target, size, out, live } = screen;
        Self {
            bars: MultiProgress::with_draw_target(target),
            size,
            out,
            look: Look { palette, clock, width: DEPLOYMENT.len(), live },
            tally: Tally::new(dockerfiles),
            rows: BTreeMap::new(),
            deployment: None,
            summary: None,
            images: 0,
            crowd: false,
        }
    }

    fn start(&mut self, heading: &str, images: &[ImageOutline]) {
        let widest = images.iter().map(|outline| outline.image.as_str().len()).max().unwrap_or_default();
        let most = usize::from(self.size.1) / 3;
        self.look.width = widest.min(most).max(DEPLOYMENT.len());
        self.images = images.len();
        self.crowd = images.len() + OTHER_LINES > usize::from(self.size.0);
        let _ = self.bars.println(self.look.palette.dim(heading).to_string());
        if self.crowd {
            self.summary = Some(self.added("images"));
            self.count();
        } else {
            for outline in images {
                self.row(&outline.image);
            }
        }
    }

    /// Adds a row below all other rows.
    fn added(&self, name: &str) -> Row {
        Row::new(self.bars.add(ProgressBar::new_spinner()), self.look.clone(), name)
    }

    fn row(&mut self, image: &ImageName) -> &mut Row {
        let (bars, look, summary) = (&self.bars, &self.look, &self.summary);
        self.rows.entry(image.clone()).or_insert_with(|| {
            let bar = match summary {
                Some(summary) => bars.insert_before(summary.bar(), ProgressBar::new_spinner()),
                None => bars.add(ProgressBar::new_spinner()),
            };
            Row::new(bar, look.clone(), image.as_str())
        })
    }

    fn image_finished(&mut self, image: &ImageName, outcome: &ImageOutcome, milliseconds: u64) {
        let (mark, words) = match outcome {
            ImageOutcome::Built { steps } => (Mark::Good, format!("built: {}", steps_counted(*steps))),
            ImageOutcome::Reused => (Mark::Calm, "reused".to_owned()),
            ImageOutcome::Kept => (Mark::Calm, "kept".to_owned()),
            ImageOutcome::Failed { .. } => (Mark::Bad, "failed".to_owned()),
            ImageOutcome::Skipped { reason } => {
                (Mark::Stopped, format!("skipped: {}", text::one_line(reason)))
            }
        };
        if !self.crowd {
            self.row(image).end(mark, &words, milliseconds);
            return;
        }
        // In a crowd, an image that needed no work is only counted.
        if mark != Mark::Calm {
            self.row(image).end(mark, &words, milliseconds);
        }
        self.retire(image);
        self.count();
    }

    /// Moves an image's row above the rows under way, for good.
    fn retire(&mut self, image: &ImageName) {
        let Some(row) = self.rows.remove(image) else { return };
        self.bars.remove(row.bar());
        if row.has_ended() {
            let _ = self.bars.println(row.line());
        }
    }

    /// Shows the number of images that are done.
    fn count(&mut self) {
        let done = format!("{} of {} done", self.tally.images_done(), self.images);
        if let Some(summary) = &mut self.summary {
            summary.set_doing(&done);
        }
    }

    fn push_finished(&mut self, image: &ImageName, milliseconds: u64) {
        self.row(image).end_also("pushed", milliseconds);
        if self.crowd && self.row(image).has_ended() {
            self.retire(image);
        }
    }

    fn deployment_finished(&mut self, error: Option<&str>, milliseconds: u64) {
        if let Some(row) = &mut self.deployment {
            match error {
                None => row.end(Mark::Good, "deployed", milliseconds),
                Some(_) => row.end(Mark::Bad, "failed", milliseconds),
            }
        }
    }

    /// Shows the failure or the warning that `event` tells of, above the lines.
    fn report(&mut self, event: &Event) {
        if let Some(failure) = self.tally.follow(event) {
            let _ = self.bars.println(failure.report(self.look.palette));
        }
        if let Some(warning) = self.tally.warning(event) {
            let _ = self.bars.println(self.look.palette.busy(warning.line()).to_string());
        }
    }

    fn run_finished(&mut self, exit_code: u8, milliseconds: u64) {
        let words = self.tally.summary(exit_code, milliseconds);
        let mark = if exit_code == 0 { Mark::Good } else { Mark::Bad };
        if let Some(counter) = self.summary.take() {
            self.bars.remove(counter.bar());
        }
        let mut row = self.added("run");
        row.end(mark, &words, 0);
        self.summary = Some(row);
    }

    /// Prints a remark on the run above the rows.
    fn remark(&self, text: &str) {
        let _ = self.bars.println(self.look.palette.dim(text).to_string());
    }
}

impl Renderer for Tty {
    fn event(&mut self, event: &Event) {
        self.report(event);
        match event {
            Event::RunStarted { environment, commit, images } => {
                let environment = environment.as_ref().map(ToString::to_string);
                self.start(&opening(environment, commit.as_deref(), images), images);
            }
            Event::ImageStarted { image, .. } => self.row(image).start("starting"),
            Event::ImageStep { image, step, state: StepState::Started } => {
                self.row(image).set_doing(&text::one_line(step));
            }
            Event::ImageStep { .. }
            | Event::ImageWarning { .. }
            | Event::RunFinished { .. }
            | Event::TagMoved { .. } => {}
            Event::ImageLog { image, line, .. } => self.row(image).set_printed(&text::log_line(line)),
            Event::ImageFinished { image, outcome, milliseconds } => {
                self.image_finished(image, outcome, *milliseconds);
            }
            Event::PushStarted { image, .. } => self.row(image).start("pushing"),
            Event::PushProgress { image, sent, total } => {
                let doing = format!("pushing {} of {}", text::bytes(*sent), text::bytes(*total));
                self.row(image).set_doing(&doing);
            }
            Event::PushFinished { image, milliseconds, .. } => self.push_finished(image, *milliseconds),
            Event::PushFailed { image, .. } => {
                self.row(image).end(Mark::Bad, "push failed", 0);
                if self.crowd {
                    self.retire(image);
                }
            }
            Event::BuilderLost { builder, reason } => {
                let (builder, reason) = (text::name(builder), text::one_line(reason));
                self.remark(&format!("builder {builder} is lost, others take over: {reason}"));
            }
            Event::BuilderBack { builder } => {
                self.remark(&format!("builder {} is back", text::name(builder)));
            }
            Event::Retrying { image, reason, attempt } => {
                self.row(image).set_doing(&format!("attempt {attempt} follows: {}", text::one_line(reason)));
            }
            Event::Notice { text } => {
                let _ = self.bars.println(format!("note: {}", text::one_line(text)));
            }
            Event::DeployStarted { environment, trigger } => {
                let mut row = self.added(DEPLOYMENT);
                row.start(&format!("{environment} with {}", text::name(trigger)));
                self.deployment = Some(row);
            }
            Event::DeployLog { line } => {
                if let Some(row) = &self.deployment {
                    row.set_printed(&text::log_line(line));
                }
            }
            Event::DeployFinished { error, milliseconds } => {
                self.deployment_finished(error.as_deref(), *milliseconds);
            }
        }
        if let Event::RunFinished { exit_code, milliseconds } = event {
            self.run_finished(*exit_code, *milliseconds);
        }
    }

    fn finish(&mut self) {
        let rows = self.rows.values_mut().chain(&mut self.deployment).chain(&mut self.summary);
        if rows.map(Row::leave).count() > 0 {
            // The bars leave the cursor behind their last line.
            let _ = writeln!(self.out);
        }
        self.rows.clear();
        self.deployment = None;
        self.summary = None;
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests;
