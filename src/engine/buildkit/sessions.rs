//! Sessions that builds share. Start with [`Sessions::join`].
//!
//! An engine fetches files for a session. Builds of one context that run at the same time join one session,
//! so that the engine takes their requests for the same files for one request. Builds with different secrets
//! never share a session, since the engine asks for secrets by their ids alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use dtbuild_content::snapshot::Snapshot;
use tokio::sync::OnceCell;

use super::content::Caches;
use super::filesend::FileReceiver;
use super::folders::same_files;
use super::secrets::Secrets;
use super::session::Session;
use super::ssh::Agents;
use crate::engine::EngineError;
use crate::engine::endpoint::Endpoint;

/// The sessions with one engine that builds are using now.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sessions(Mutex<Vec<Open>>);

/// A session that lives as long as a build holds it; empty until the first build has opened it.
pub(super) type Shared = Arc<OnceCell<Session>>;

/// The terms of a session: a build may join a session with equal terms.
#[derive(Clone)]
pub(super) struct Terms {
    /// The name of the context.
    pub(super) context: String,
    /// The files of the context. The engine has the same name for every main context, so a session has one
    /// context.
    pub(super) files: Snapshot,
    /// The secrets that steps may ask for.
    pub(super) secrets: Secrets,
    /// The ssh agents that steps may ask.
    pub(super) agents: Agents,
    /// The caches in folders of this machine.
    pub(super) stores: Caches,
    /// The receiver of an image that goes into a file; a session with a receiver belongs to one build alone.
    pub(super) receiver: Option<FileReceiver>,
}

struct Open {
    terms: Terms,
    session: Weak<OnceCell<Session>>,
}

impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        self.context == other.context
            && self.secrets == other.secrets
            && self.agents == other.agents
            && self.stores == other.stores
            && self.receiver == other.receiver
            && same_files(&self.files, &other.files)
    }
}

impl Sessions {
    /// A session on these terms, opened if there is none; `None` if the engine has no sessions.
    pub(super) async fn join(
        &self,
        endpoint: &Endpoint,
        terms: &Terms,
    ) -> Result<Option<Shared>, EngineError> {
        let shared = self.find(terms);
        let opened = shared.get_or_try_init(|| async {
            let session = Session::open(endpoint, terms.clone()).await.map_err(Some)?;
            session.ok_or(None::<EngineError>)
        });
        match opened.await.map(|_| ()) {
            Ok(()) => Ok(Some(shared)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    fn find(&self, terms: &Terms) -> Shared {
        let mut open = self.open();
        open.retain(|open| open.session.strong_count() > 0);
        // A session whose connection broke serves nobody any more.
        let serves = |shared: &Shared| shared.get().is_none_or(Session::is_alive);
        let mut joined =
            open.iter().filter(|open| open.terms == *terms).filter_map(|open| open.session.upgrade());
        if let Some(shared) = joined.find(serves) {
            return shared;
        }
        let shared = Shared::default();
        open.push(Open { terms: terms.clone(), session: Arc::downgrade(&shared) });
        shared
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the name of the context, and nothing of the secrets.
impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.terms.context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::buildkit::folder::dockerfile;

    fn terms(context: &str) -> Terms {
        Terms {
            context: context.to_owned(),
            files: dockerfile(Arc::from(&b""[..])),
            secrets: Secrets::default(),
            agents: Agents::default(),
            stores: Caches::default(),
            receiver: None,
        }
    }

    #[test]
    fn builds_of_one_context_at_one_time_share() {
        let sessions = Sessions::default();
        let first = sessions.find(&terms("a"));
        assert!(Arc::ptr_eq(&first, &sessions.find(&terms("a"))));
        assert!(!Arc::ptr_eq(&first, &sessions.find(&terms("b"))));
        let changed = Terms { files: dockerfile(Arc::from(&b"x"[..])), ..terms("a") };
        assert!(!Arc::ptr_eq(&first, &sessions.find(&changed)));
        drop(first);
        sessions.find(&terms("c"));
        assert_eq!(sessions.open().len(), 1, "what nobody uses is forgotten");
    }
}
