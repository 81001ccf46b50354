//! The renderer for programs: every event is one line of JSON. Start with [`RawJson`]; `docs/events.md`
//! documents every line.

use std::io::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::events::Event;

use super::Renderer;
use super::clock::Clock;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// Writes one JSON object per event.
pub(super) struct RawJson<W> {
    out: W,
    clock: Clock,
}

/// One line: an event with its time.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(super) struct Line<'a> {
    /// The version of this format.
    version: u32,
    /// Milliseconds since the run's start.
    time: u64,
    #[serde(flatten)]
    event: &'a Event,
}

impl<W: Write> RawJson<W> {
    pub(super) fn new(out: W, clock: Clock) -> Self {
        Self { out, clock }
    }
}

impl<W: Write> Renderer for RawJson<W> {
    fn event(&mut self, event: &Event) {
        let time = u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX);
        // Each line is one write, so that lines of several processes on one stream stay whole.
        if let Ok(mut line) = serde_json::to_vec(&Line { version: VERSION, time, event }) {
            line.push(b'\n');
            let _ = self.out.write_all(&line);
            let _ = self.out.flush();
        }
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::ui::samples::{run, trouble};
    use crate::ui::schemas::assert_valid;

    fn lines(events: &[Event]) -> Vec<Value> {
        let mut out = Vec::new();
        let mut renderer = RawJson::new(&mut out, Clock::stepping(Duration::from_millis(10)));
        for event in events {
            renderer.event(event);
        }
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_event_is_a_line_that_parses() {
        let events: Vec<Event> = run().into_iter().chain(trouble()).collect();
        let lines = lines(&events);
        assert_eq!(lines.len(), events.len());
        for (number, line) in lines.iter().enumerate() {
            assert_valid("event", line);
            assert_eq!(line["version"], 1);
            assert_eq!(line["time"], number * 10);
        }
        insta::assert_snapshot!(lines[5], @r#"{"event":"image-step","image":"client","state":"started","step":"[build 2/4] RUN npm ci","time":50,"version":1}"#);
    }

    /// The samples hold every variant: a new one is a compile error here until it has an example.
    fn is_documented_variant(event: &Event) {
        match event {
            Event::RunStarted { .. }
            | Event::ImageStarted { .. }
            | Event::ImageStep { .. }
            | Event::ImageLog { .. }
            | Event::ImageWarning { .. }
            | Event::ImageFinished { .. }
            | Event::PushStarted { .. }
            | Event::PushProgress { .. }
            | Event::PushFinished { .. }
            | Event::PushFailed { .. }
            | Event::BuilderLost { .. }
            | Event::BuilderBack { .. }
            | Event::Retrying { .. }
            | Event::Notice { .. }
            | Event::TagMoved { .. }
            | Event::DeployStarted { .. }
            | Event::DeployLog { .. }
            | Event::DeployFinished { .. }
            | Event::RunFinished { .. } => {}
        }
    }

    #[test]
    fn every_event_and_field_is_documented() {
        let events: Vec<Event> = run().into_iter().chain(trouble()).collect();
        events.iter().for_each(is_documented_variant);
        let page = include_str!("../../docs/events.md");
        let mut names = BTreeSet::new();
        for line in lines(&events) {
            let name = line["event"].as_str().unwrap().to_owned();
            let (_, rest) =
                page.split_once(&format!("\n## `{name}`\n")).unwrap_or_else(|| panic!("no `{name}`"));
            let section = rest.split("\n## ").next().unwrap();
            for field in line.as_object().unwrap().keys() {
                let shared = ["version", "time", "event"].contains(&field.as_str());
                assert!(shared || section.contains(&format!("\n| `{field}` |")), "no `{field}` in `{name}`");
            }
            names.insert(name);
        }
        assert_eq!(
            page.matches("\n## `").count(),
            names.len(),
            "the page documents an event that is not sent"
        );
    }
}
