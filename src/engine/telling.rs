//! Events of one build, whichever engine it runs on. Start with [`Teller`].

use std::collections::VecDeque;

use crate::config::ImageName;
use crate::events::{BuildWarning, Event, EventSink, StepState};

/// The number of log lines that a failed step is reported with.
const TAIL: usize = 20;
/// The longest step name that is told, in characters; an inlined script can be a step's name.
pub(super) const NAME_LIMIT: usize = 1000;

/// The sender of one build's events: the states and log lines of its steps, and the engine's warnings.
pub(super) struct Teller {
    image: ImageName,
    events: EventSink,
}

/// The last lines that a step printed.
#[derive(Default)]
pub(super) struct Tail(VecDeque<String>);

impl Teller {
    /// A teller that sends the events of the build of `image` to `events`.
    pub(super) fn new(image: ImageName, events: EventSink) -> Self {
        Self { image, events }
    }

    /// Tells that a step began or ended.
    pub(super) fn step(&self, step: &str, state: StepState) {
        let (image, step) = (self.image.clone(), step.to_owned());
        self.events.send(Event::ImageStep { image, step, state });
    }

    /// Tells a line that a step printed.
    pub(super) fn line(&self, step: &str, line: String) {
        let (image, step) = (self.image.clone(), step.to_owned());
        self.events.send(Event::ImageLog { image, step, line });
    }

    /// Tells a warning of the engine.
    pub(super) fn warning(&self, warning: BuildWarning) {
        self.events.send(Event::ImageWarning { image: self.image.clone(), warning });
    }
}

impl Tail {
    /// Keeps a line, and drops the oldest one if the tail is full.
    pub(super) fn push(&mut self, line: String) {
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    /// Drops all lines, because another step prints now.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The kept lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::default();
        (0..100).for_each(|number| tail.push(number.to_string()));
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[TAIL - 1].as_str()), (TAIL, "80", "99"));
    }
}
