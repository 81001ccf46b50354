//! Registries that answer otherwise than the reference implementation does: a test per peculiarity, each against an
//! [`OddRegistry`]. `docs/compatibility.md` lists them.

use std::net::TcpListener;

use dtbuild::reference::{Reference, Repository};

use crate::support::odd::{Answer, Asked, OddRegistry, Oddity, challenge};
use crate::support::registry::fresh_repository;

mod hidden;
mod immutable;
mod manifests;
mod tokens;
mod traffic;

/// The media type of the artifacts that the tests push.
const TYPE: &str = "application/vnd.example.note.v1+json";

/// A repository at an odd registry, which is not there yet.
fn repository(odd: &OddRegistry) -> Repository {
    fresh_repository(&odd.host)
}

fn tagged(repository: &Repository, tag: &str) -> Reference {
    repository.tagged(tag).unwrap()
}

/// An address at which nobody listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A registry with a token server, which gives the token `T` by this answer.
fn with_tokens(
    challenge_text: &'static str,
    token: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> OddRegistry {
    OddRegistry::new(move |asked: &Asked| {
        if asked.path.starts_with("/token") {
            return Some(token(asked));
        }
        let known = asked.authorization.as_deref() == Some("Bearer T");
        (!known).then(|| challenge(&challenge_text.replace("REALM", &format!("http://{}/token", asked.host))))
    })
}

const CHALLENGE: &str = r#"Bearer realm="REALM",service="r",scope="repository:x:pull""#;

/// Leaves out, or changes, what the real registry says of manifests.
struct Headers(fn(&Asked, &mut Answer));

impl Oddity for Headers {
    fn answer(&self, _: &Asked) -> Option<Answer> {
        None
    }

    fn change(&self, asked: &Asked, answer: &mut Answer) {
        (self.0)(asked, answer);
    }
}
