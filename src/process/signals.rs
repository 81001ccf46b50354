//! The effect of Ctrl-C, SIGTERM and the end of a session (SIGHUP) on a run that has to put something in order. Start with [`Signals`].
//!
//! Until a run asks for the signals, they end the process, as they end any other process.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Kind;

/// The signals that end a run: the first cancels it, the second ends the process.
#[derive(Clone, Default)]
pub struct Signals(Option<Arc<Listener>>);

#[derive(Default)]
struct Listener {
    listening: OnceLock<()>,
    /// The run that the next signal cancels. Without a run, the signal ends the process at once.
    run: Mutex<Option<CancellationToken>>,
}

impl Signals {
    /// The signals of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(Some(Arc::default()))
    }

    /// No signals, for callers that cancel runs in another way.
    #[must_use]
    pub fn ignored() -> Self {
        Self(None)
    }

    /// Cancels `run` at the first signal from now on. Needs a runtime.
    pub fn cancel(&self, run: CancellationToken) {
        let Some(listener) = &self.0 else { return };
        listener.replace(Some(run));
        listener.listening.get_or_init(|| {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            if let [Ok(interrupt), Ok(terminate), Ok(hangup)] = kinds.map(signal) {
                tokio::spawn(Arc::clone(listener).pass_on([interrupt, terminate, hangup]));
            }
        });
    }

    /// Runs a future to its end, or drops the future at the first signal and returns none. A run that signals
    /// cancelled before is cancelled by them again after the future's end.
    pub async fn until_signal<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let around = self.0.as_ref().and_then(|listener| listener.replace(None));
        let run = CancellationToken::new();
        self.cancel(run.clone());
        let result = run.run_until_cancelled(future).await;
        if let Some(listener) = &self.0 {
            listener.replace(around.clone());
        }
        if let (None, Some(around)) = (&result, around) {
            around.cancel();
        }
        result
    }
}

impl Listener {
    /// The run that the next signal cancelled, in place of which it cancels `run`.
    fn replace(&self, run: Option<CancellationToken>) -> Option<CancellationToken> {
        std::mem::replace(&mut *self.run.lock().unwrap_or_else(PoisonError::into_inner), run)
    }

    async fn pass_on(self: Arc<Self>, [mut interrupt, mut terminate, mut hangup]: [Signal; 3]) {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            match self.replace(None) {
                Some(run) => run.cancel(),
                None => super::exit(Kind::Interrupted as u8),
            }
        }
    }
}
