//! The watcher of a run: a sink of its events, and a token that cancels it. Start with [`Observer`].

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::events::{Event, EventSink, ImageOutline};
use crate::plan::{Decision, Plan, PlannedImage};

/// The sink of a run's events, and the token that cancels the run.
#[derive(Clone, Debug)]
pub struct Observer {
    /// The sink of the run's events.
    pub events: EventSink,
    /// The token that cancels the run; images that were built are kept.
    pub cancel: CancellationToken,
}

/// A run whose start was sent as an event, and whose end is still to be sent.
pub(super) struct Told<'a> {
    observer: &'a Observer,
    started: Instant,
}

impl Observer {
    /// Sends a remark on the run for its reader.
    pub(super) fn notice(&self, text: impl Into<String>) {
        self.events.send(Event::Notice { text: text.into() });
    }

    /// Sends the event that the execution of a plan begins.
    pub(super) fn begin(&self, plan: &Plan) -> Told<'_> {
        let outline = |image: &PlannedImage| ImageOutline {
            image: image.name.clone(),
            decision: image.decision,
            key: image.key,
            reasons: match image.decision {
                Decision::Build if plan.environment.is_some() => image.reasons.clone(),
                _ => Vec::new(),
            },
        };
        self.events.send(Event::RunStarted {
            environment: plan.environment.clone(),
            commit: plan.head.commit().map(str::to_owned),
            images: plan.images.iter().map(outline).collect(),
        });
        Told { observer: self, started: Instant::now() }
    }

    /// Waits for a future, or drops the future when the run is cancelled.
    pub(super) async fn unless_cancelled<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.cancel.run_until_cancelled(future).await.unwrap_or_else(|| Err(interrupted()))
    }
}

impl Told<'_> {
    /// Sends the event that the run ended, with its exit code and its time in milliseconds.
    pub(super) fn end<T>(self, result: Result<T>) -> Result<T> {
        let exit_code = result.as_ref().map_or_else(Error::exit_code, |_| 0);
        let milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.observer.events.send(Event::RunFinished { exit_code, milliseconds });
        result
    }
}

/// The error that a cancelled run ends with.
pub(super) fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
        .hint("what was built is kept; the next run continues from there")
}
