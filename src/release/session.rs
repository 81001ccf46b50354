//! One run as the user sees it: events to a renderer, signals to a cancellation. Start with [`Session`].

use std::thread::JoinHandle;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::clients::Clients;
use crate::error::{Error, Kind, Result};
use crate::events::{Event, EventSink, ImageOutline};
use crate::plan::{Head, Plan};
use crate::ui;
use crate::workspace::Workspace;

/// A run that is going on.
pub(crate) struct Session {
    /// Where to report.
    pub(crate) events: EventSink,
    /// Ends the run; Ctrl-C and SIGTERM do.
    pub(crate) cancel: CancellationToken,
    renderer: JoinHandle<()>,
    started: Instant,
}

impl Session {
    /// Starts to show events and to listen to signals.
    pub(crate) fn start(clients: &Clients, global: &Global, workspace: &Workspace) -> Result<Self> {
        let (events, mut receiver) = EventSink::channel();
        let mut renderer = ui::progress(global.progress, ui::Streams::stderr(&workspace.config));
        let renderer = std::thread::spawn(move || {
            while let Some(event) = receiver.blocking_recv() {
                renderer.event(&event);
            }
            renderer.finish();
        });
        let cancel = CancellationToken::new();
        clients.cancel_on_signal(cancel.clone())?;
        Ok(Self { events, cancel, renderer, started: Instant::now() })
    }

    /// Tells what is going to be done.
    pub(crate) fn announce(&self, plan: &Plan) {
        let commit = match &plan.head {
            Head::Commit { id } => Some(id.clone()),
            Head::WorkingTree { .. } => None,
        };
        let outline = |image: &crate::plan::PlannedImage| ImageOutline {
            image: image.name.clone(),
            decision: image.decision,
            key: image.key,
        };
        let images = plan.images.iter().map(outline).collect();
        self.events.send(Event::RunStarted { environment: plan.environment.clone(), commit, images });
    }

    /// Ends the run: the last event is shown before this returns.
    pub(crate) fn finish<T>(self, result: Result<T>) -> Result<T> {
        let exit_code = result.as_ref().map_or_else(Error::exit_code, |_| 0);
        let milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.send(Event::RunFinished { exit_code, milliseconds });
        drop(self.events);
        // A renderer that panicked has nothing more to show.
        let _ = self.renderer.join();
        result
    }
}

/// The failure that a cancelled run ends with.
pub(crate) fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
        .hint("what was built is kept; the next run continues from there")
}
