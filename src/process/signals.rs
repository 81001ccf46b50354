//! What Ctrl-C and SIGTERM do to a run that has to put something in order. Start with [`Signals`].
//!
//! Until they are listened to, they end the process, as they do any other.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Kind;

/// Whom a signal cancels. Where that is nobody, or nobody any more, it ends the process at once.
#[derive(Clone, Default)]
pub(crate) struct Signals(Arc<Mutex<Option<CancellationToken>>>);

impl Signals {
    /// Listens to signals as long as the process lives; must be called within a runtime.
    pub(crate) fn listen() -> Self {
        let signals = Self::default();
        if let (Ok(interrupt), Ok(terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::spawn(signals.clone().pass_on(interrupt, terminate));
        }
        signals
    }

    /// The next signal cancels `whom`.
    pub(crate) fn cancel(&self, whom: Option<CancellationToken>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = whom;
    }

    async fn pass_on(self, mut interrupt: Signal, mut terminate: Signal) {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(whom) => whom.cancel(),
                None => std::process::exit(i32::from(Kind::Interrupted as u8)),
            }
        }
    }
}
