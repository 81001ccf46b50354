//! All that dtbuild prints: progress on stderr, results on stdout.
//!
//! Each result has a [`View`], in a module of its own: [`plan`], [`explain`], [`inputs`], [`lock`], [`release`],
//! [`status`], [`history`], [`unlock`], [`doctor`] and [`error`]. [`print`] prints any of them in a [`Format`]. For progress, start with
//! [`Renderer`], which follows the events of a run. Text that comes from builds, paths or registries loses its control
//! characters before it is shown.

use std::io::{self, IsTerminal, Write};
use std::thread::JoinHandle;

use crate::config::Config;
use crate::events::{Event, EventSink};

pub mod doctor;
pub mod error;
pub mod explain;
pub mod history;
pub mod inputs;
pub mod lock;
pub mod plan;
pub mod reason;
pub mod release;
pub mod status;
pub mod timings;
pub mod unlock;

mod clock;
mod failure;
mod github;
mod lines;
mod plain;
mod quiet;
mod rawjson;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schemas;
mod style;
mod tally;
mod text;
mod tty;
mod view;
mod warning;

pub use style::{Palette, wants_colour};
pub use tally::Dockerfiles;
pub use view::{Format, View, print};

use clock::Clock;

/// A renderer, which shows a run's events.
///
/// A renderer never fails a run: text that cannot be written, say because stderr is closed, is lost.
pub trait Renderer {
    /// Shows `event`, or takes note of it.
    fn event(&mut self, event: &Event);

    /// Leaves the stream in order; called once, after the last event, also when a run was cut short.
    fn finish(&mut self);
}

/// The style in which a run's progress is shown (`--progress`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressMode {
    /// Bars on a terminal, else plain lines.
    #[default]
    Auto,
    /// Bars: one line per image, redrawn.
    Tty,
    /// Lines, one after the other: for CI.
    Plain,
    /// One JSON object per line and event: for programs.
    RawJson,
    /// Failures only.
    Quiet,
}

/// The stream for progress, with the facts that a renderer needs besides the events.
pub struct Streams {
    /// The stream that progress is written to.
    pub progress: Box<dyn Write + Send>,
    /// The surroundings of the stream.
    pub surroundings: Surroundings,
    /// The paths of the images' Dockerfiles, which failures name.
    pub dockerfiles: Dockerfiles,
}

/// The facts that decide between bars and lines.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// True if the stream is a terminal that can move its cursor.
    pub terminal: bool,
    /// True if the variable `CI` is set.
    pub ci: bool,
    /// True if GitHub Actions runs the program.
    pub github: bool,
    /// True if the stream gets colours.
    pub styled: bool,
}

impl Streams {
    /// The streams for progress on stderr. `config` gives the paths of the Dockerfiles.
    #[must_use]
    pub fn stderr(config: &Config) -> Self {
        let dockerfile = |image: &crate::config::Image| image.dockerfile.to_string();
        Self {
            progress: Box::new(io::stderr()),
            surroundings: Surroundings::of(&io::stderr()),
            dockerfiles: config
                .images
                .iter()
                .map(|(name, image)| (name.clone(), dockerfile(image)))
                .collect(),
        }
    }
}

impl Surroundings {
    /// The surroundings of `stream` in this process.
    #[must_use]
    pub fn of(stream: &impl IsTerminal) -> Self {
        let set = |variable: &str| {
            std::env::var_os(variable)
                .is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
        };
        Self {
            terminal: stream.is_terminal() && !style::is_dumb(),
            ci: set("CI"),
            github: std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            styled: wants_colour(stream),
        }
    }
}

impl ProgressMode {
    /// The mode without `Auto`, which stands for another mode in these surroundings. `Tty` needs a terminal, even if
    /// the user asks for it.
    fn resolve(self, surroundings: Surroundings) -> Self {
        match self {
            Self::Auto if surroundings.terminal && !surroundings.ci => Self::Tty,
            Self::Tty if surroundings.terminal => Self::Tty,
            Self::Auto | Self::Tty => Self::Plain,
            asked => asked,
        }
    }
}

/// The renderer for `mode`. The run's clock starts here.
#[must_use]
pub fn progress(mode: ProgressMode, streams: Streams) -> Box<dyn Renderer + Send> {
    let Streams { progress: out, surroundings, dockerfiles } = streams;
    let palette = Palette::new(surroundings.styled);
    let clock = Clock::start();
    match mode.resolve(surroundings) {
        ProgressMode::Tty => Box::new(tty::Tty::on_stderr(palette, clock, dockerfiles)),
        ProgressMode::RawJson => Box::new(rawjson::RawJson::new(out, clock)),
        ProgressMode::Quiet => Box::new(quiet::Quiet::new(out, palette, dockerfiles)),
        _ if surroundings.github => Box::new(github::GitHub::new(out, clock, dockerfiles)),
        _ => Box::new(plain::Plain::new(out, palette, clock, dockerfiles)),
    }
}

/// A renderer at work on a thread of its own.
pub struct Follower(JoinHandle<()>);

/// Starts a renderer that shows the events that are sent to the sink. The run's clock starts with the first event.
#[must_use]
pub fn follow(mode: ProgressMode, streams: Streams) -> (EventSink, Follower) {
    let (events, mut receiver) = EventSink::channel();
    let follower = std::thread::spawn(move || {
        let Some(first) = receiver.blocking_recv() else { return };
        let mut renderer = progress(mode, streams);
        renderer.event(&first);
        while let Some(event) = receiver.blocking_recv() {
            renderer.event(&event);
        }
        renderer.finish();
    });
    (events, Follower(follower))
}

impl Follower {
    /// Waits until the last event is shown; all clones of the sink must be gone.
    pub fn finish(self) {
        // A renderer that panicked shows nothing more.
        let _ = self.0.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_need_a_terminal_and_nobody_else_watching() {
        let terminal = Surroundings { terminal: true, ..Surroundings::default() };
        let ci = Surroundings { ci: true, ..terminal };
        for (mode, surroundings, resolved) in [
            (ProgressMode::Auto, terminal, ProgressMode::Tty),
            (ProgressMode::Auto, ci, ProgressMode::Plain),
            (ProgressMode::Auto, Surroundings::default(), ProgressMode::Plain),
            (ProgressMode::Tty, ci, ProgressMode::Tty),
            (ProgressMode::Tty, Surroundings::default(), ProgressMode::Plain),
            (ProgressMode::Plain, terminal, ProgressMode::Plain),
            (ProgressMode::Quiet, terminal, ProgressMode::Quiet),
        ] {
            assert_eq!(mode.resolve(surroundings), resolved, "{mode:?} in {surroundings:?}");
        }
    }
}
