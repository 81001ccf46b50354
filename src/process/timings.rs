//! Where the time of a run goes: what `--timings` prints. Start with [`Timings::measure`].

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use crate::ui;

/// The phases of a run, in the order in which they ended.
pub(crate) struct Timings {
    begin: Instant,
    phases: RefCell<Vec<(&'static str, Duration)>>,
}

impl Default for Timings {
    fn default() -> Self {
        Self { begin: Instant::now(), phases: RefCell::default() }
    }
}

impl Timings {
    /// Does `work`, and takes note of how long it took.
    pub(crate) fn measure<T>(&self, phase: &'static str, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.phases.borrow_mut().push((phase, begin.elapsed()));
        result
    }

    /// Prints the phases to stderr.
    pub(crate) fn print(&self) {
        let view =
            ui::timings::TimingsView { total: self.begin.elapsed(), phases: self.phases.borrow().clone() };
        // There is nowhere left to tell of a stream that is closed.
        let _ = ui::timings::write_timings(&mut io::stderr().lock(), &view);
    }
}
