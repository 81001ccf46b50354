//! An engine that may not have answered yet. Start with [`LateEngine`].

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::endpoint::Endpoint;
use super::{AnyEngine, BuildRequest, Built, Engine, EngineError};
use crate::config::ImageName;
use crate::events::EventSink;
use crate::reference::{Digest, Reference};

/// The engine at an endpoint, which is connected to when it is first asked for anything, and again if that failed.
#[derive(Debug)]
pub(crate) struct LateEngine {
    endpoint: Endpoint,
    engine: OnceCell<Arc<AnyEngine>>,
}

impl LateEngine {
    /// The engine at `endpoint`, which nobody has asked yet.
    pub(crate) fn at(endpoint: Endpoint) -> Self {
        Self { endpoint, engine: OnceCell::new() }
    }

    async fn get(&self) -> Result<&AnyEngine, EngineError> {
        let connect = || async { AnyEngine::connect(self.endpoint.clone()).await.map(Arc::new) };
        self.engine.get_or_try_init(connect).await.map(|engine| &**engine)
    }
}

impl From<Arc<AnyEngine>> for LateEngine {
    fn from(engine: Arc<AnyEngine>) -> Self {
        Self { endpoint: engine.endpoint().clone(), engine: OnceCell::from(engine) }
    }
}

impl Engine for LateEngine {
    async fn build(&self, request: &BuildRequest, events: &EventSink) -> Result<Built, EngineError> {
        self.get().await?.build(request, events).await
    }

    async fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        events: &EventSink,
    ) -> Result<Digest, EngineError> {
        self.get().await?.push(image, reference, events).await
    }

    async fn answers(&self) -> Result<(), EngineError> {
        match self.engine.get() {
            Some(engine) => engine.answers().await,
            // An engine that was just connected to answered.
            None => self.get().await.map(drop),
        }
    }

    async fn names(&self, reference: &Reference) -> Result<Option<Vec<String>>, EngineError> {
        self.get().await?.names(reference).await
    }

    async fn tag(&self, source: &Reference, name: &Reference) -> Result<(), EngineError> {
        self.get().await?.tag(source, name).await
    }
}
