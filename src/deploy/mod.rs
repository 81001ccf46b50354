//! Deployments: a [`Release`] is brought to an environment by what `build.toml` names.
//!
//! Start with [`open`], which makes the [`Trigger`] of a configured one. A trigger is a file here, a line in [`open`] and
//! the form that `build.toml` gives it in [`config::Trigger`]. Programs are run as argument vectors from the repository's
//! root and are told the release by a file and by variables:
//!
//! | variable | value |
//! | --- | --- |
//! | `DTBUILD_PROJECT` | the project |
//! | `DTBUILD_ENVIRONMENT` | the environment |
//! | `DTBUILD_COMMIT` | the commit's id; not set for the working tree |
//! | `DTBUILD_RELEASE` | the path of the release's JSON file, which goes when the program ends |
//! | `DTBUILD_IMAGE_<NAME>` | an image, pinned by digest; the name in capitals, `_` for `-` and `.` |

use std::path::Path;

use futures_util::future::BoxFuture;

use crate::config;
use crate::events::EventSink;

mod ansible;
mod command;
mod error;
mod process;
mod release;
mod runnable;

pub use error::DeployError;
pub use release::Release;

/// A way to bring a release to its environment.
pub trait Trigger: Send + Sync {
    /// Finds out, before any work, whether what is to be run is there. `root` is the repository's.
    fn check(&self, root: &Path) -> Result<(), DeployError>;

    /// Brings a release to its environment. What is printed on the way becomes events, line by line.
    ///
    /// Dropping the future ends a program and all that it started: first gently, after five seconds for good.
    /// The drop waits for that, so that nothing deploys any more when it is done.
    fn run<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<(), DeployError>>;
}

/// A release on its way to its environment.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// The images, pinned by digest.
    pub release: &'a Release,
    /// The repository's root.
    pub root: &'a Path,
    /// The consumer of what is printed.
    pub events: &'a EventSink,
}

/// The trigger that `build.toml` configures.
#[must_use]
pub fn open(trigger: &config::Trigger) -> Box<dyn Trigger> {
    match trigger.clone() {
        config::Trigger::Command { argv } => Box::new(command::Command { argv }),
        config::Trigger::Ansible { playbook, inventory, args } => {
            Box::new(ansible::Ansible { playbook, inventory, args })
        }
    }
}
