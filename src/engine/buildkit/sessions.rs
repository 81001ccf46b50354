//! Sessions that builds share. Start with [`Sessions::join`].
//!
//! What an engine fetches, it fetches for a session. Builds of one context that run at one time join one session, so that
//! the engine takes their requests for the same files for what they are: one request. Builds with other secrets never do,
//! since the engine asks for those by their ids alone.

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

/// The sessions with one engine that builds are using.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sessions(Mutex<Vec<Open>>);

/// A session that is there as long as somebody holds it; empty until the first one has opened it.
pub(super) type Shared = Arc<OnceCell<Session>>;

/// Which builds may join a session.
#[derive(Clone)]
pub(super) struct Terms {
    /// What names the context.
    pub(super) context: String,
    /// What is in it. The engine calls every main context the same, so a session has one.
    pub(super) files: Snapshot,
    /// What steps may ask for.
    pub(super) secrets: Secrets,
    /// Whom steps may ask.
    pub(super) agents: Agents,
    /// The caches in folders.
    pub(super) stores: Caches,
    /// What takes the image, where it goes into a file: one build's alone.
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
    /// A session on these terms, opened if there is none; `None` when the engine has no sessions.
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
        // One whose connection broke serves nobody any more.
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

/// Says nothing of the secrets.
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
