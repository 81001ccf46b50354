//! The line of one image on a terminal: the image's name, the current step, the time of the step. Start with [`Row`].

use std::fmt;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::ui::clock::Clock;
use crate::ui::style::Palette;
use crate::ui::text;

/// The time between two turns of a spinner.
const TICK: Duration = Duration::from_millis(100);

/// The settings that all rows of a run share.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) palette: Palette,
    pub(super) clock: Clock,
    /// The width of the column of names, in characters.
    pub(super) width: usize,
    /// True if spinners turn between events.
    pub(super) live: bool,
}

/// The mark of a row that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Calm,
    Bad,
    Stopped,
}

/// A line about an image, the deployment or the run.
pub(super) struct Row {
    bar: ProgressBar,
    look: Look,
    name: String,
    /// The work that the row shows, without the line that was last printed.
    doing: String,
    working: bool,
    ended: Option<(Mark, String, u64)>,
}

impl Row {
    /// A row on `bar`, which has its place on the screen already.
    pub(super) fn new(bar: ProgressBar, look: Look, name: &str) -> Self {
        let row =
            Self { bar, look, name: name.to_owned(), doing: String::new(), working: false, ended: None };
        row.bar.set_style(template("  {prefix} {wide_msg}"));
        row.bar.set_prefix(row.column().into_owned());
        row.bar.set_message(row.look.palette.dim("waiting").to_string());
        row
    }

    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Starts the row's clock and spinner.
    pub(super) fn start(&mut self, doing: &str) {
        let clock = self.look.clock.clone();
        let began = clock.now();
        let elapsed = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = out.write_str(&text::duration(clock.now().saturating_sub(began)));
        };
        self.bar.set_style(
            template("{spinner} {prefix} {wide_msg} {took}")
                .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
                .with_key("took", elapsed),
        );
        self.bar.set_prefix(self.look.palette.bold(self.column()).to_string());
        if self.look.live {
            self.bar.enable_steady_tick(TICK);
        }
        self.working = true;
        self.set_doing(doing);
    }

    /// Shows the current work, `doing`.
    pub(super) fn set_doing(&mut self, doing: &str) {
        doing.clone_into(&mut self.doing);
        self.bar.set_message(self.doing.clone());
    }

    /// Shows a printed line behind the current work.
    pub(super) fn set_printed(&self, line: &str) {
        if !line.trim().is_empty() {
            self.bar.set_message(format!("{}  {}", self.doing, self.look.palette.dim(line.trim())));
        }
    }

    /// Ends the row, and shows the outcome. The row may start again: an image is pushed after it was built.
    pub(super) fn end(&mut self, mark: Mark, outcome: &str, milliseconds: u64) {
        self.bar.disable_steady_tick();
        self.bar.set_style(template("{prefix} {wide_msg} {took}").with_key("took", {
            let took = if milliseconds == 0 { String::new() } else { text::milliseconds(milliseconds) };
            move |_: &ProgressState, out: &mut dyn fmt::Write| {
                let _ = out.write_str(&took);
            }
        }));
        self.bar.set_prefix(self.marked(mark));
        self.bar.set_message(outcome.to_owned());
        self.working = false;
        self.ended = Some((mark, outcome.to_owned(), milliseconds));
    }

    /// Ends the row again with its mark and outcome, and `more` behind the outcome; the time grows by `milliseconds`.
    pub(super) fn end_also(&mut self, more: &str, milliseconds: u64) {
        match self.ended.take() {
            Some((mark, outcome, before)) => {
                self.end(mark, &format!("{outcome}, {more}"), before + milliseconds);
            }
            None => self.set_doing(more),
        }
    }

    /// The row's text as a line that is no longer redrawn.
    pub(super) fn line(&self) -> String {
        match &self.ended {
            Some((mark, outcome, 0)) => format!("{} {outcome}", self.marked(*mark)),
            Some((mark, outcome, took)) => {
                format!("{} {outcome} ({})", self.marked(*mark), text::milliseconds(*took))
            }
            None => format!("  {} {}", self.column(), self.doing),
        }
    }

    /// Leaves the row on the screen; a row that has not ended is marked as stopped.
    pub(super) fn leave(&mut self) {
        if self.working || !self.has_ended() {
            self.end(Mark::Stopped, "stopped", 0);
        }
        self.bar.abandon();
    }

    fn marked(&self, mark: Mark) -> String {
        let Look { palette, .. } = self.look;
        match mark {
            Mark::Good => format!("{} {}", palette.good("✔"), palette.bold(self.column())),
            Mark::Calm => format!("{} {}", palette.dim("·"), self.column()),
            Mark::Bad => format!("{} {}", palette.bad("✘"), palette.bad(self.column())),
            Mark::Stopped => format!("{} {}", palette.busy("-"), self.column()),
        }
    }

    /// The row's name, padded or cut to the width of the column.
    fn column(&self) -> std::borrow::Cow<'_, str> {
        console::pad_str(&self.name, self.look.width, console::Alignment::Left, Some("…"))
    }
}

fn template(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a wrong one would show in every test.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
