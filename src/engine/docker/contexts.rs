//! Builds with named contexts, on engines with and without them. Start with [`build`].
//!
//! Docker 20.10 has no named contexts. There a context folder becomes an image first, which the Dockerfile
//! then names; the build sees the same files.

use super::Docker;
use crate::engine::{BuildRequest, Built, Engine as _, EngineError};
use crate::events::EventSink;

/// Builds `request`; if the engine has no named contexts, the context folders become images first.
pub(super) async fn build(
    docker: &Docker,
    request: &BuildRequest,
    events: &EventSink,
) -> Result<Built, EngineError> {
    match docker.solve(request, events).await {
        Err(EngineError::NoContexts { engine }) => {
            let plain = request.without_contexts(&engine)?;
            for (name, folder) in request.contexts.folders() {
                if !docker.holds(&folder.image).await? {
                    // The events of this build are dropped: its steps are not those of the Dockerfile.
                    let unheard = EventSink::channel().0;
                    docker.solve(&request.of_folder(name, folder), &unheard).await?;
                }
            }
            docker.solve(&plain, events).await
        }
        result => result,
    }
}
