//! Deployments: a [`Release`] is brought to an environment by the program that `build.toml` names.
//!
//! Start with [`open`], which makes a [`Trigger`] of a [`config::Trigger`]. A further kind of trigger needs a file in
//! this folder, a line in [`open`] and a variant of [`config::Trigger`]. Programs are run as argument vectors from the
//! repository's root and get the release by a file and by variables:
//!
//! | variable | value |
//! | --- | --- |
//! | `DTBUILD_PROJECT` | the project |
//! | `DTBUILD_ENVIRONMENT` | the environment |
//! | `DTBUILD_COMMIT` | the commit's id; not set for the working tree |
//! | `DTBUILD_GENERATION` | a number that every later deployment to the environment raises |
//! | `DTBUILD_RELEASE` | the path of the release's JSON file, which is removed when the program ends |
//! | `DTBUILD_IMAGE_<NAME>` | an image, pinned by digest; the name in capitals, `_` for `-` and `.` |

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

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
    /// Finds out, before any work, whether the program and the files of the deployment exist. `root` is the
    /// repository's root.
    fn check(&self, root: &Path) -> Result<(), DeployError>;

    /// Brings a release to its environment. Each line that the program prints becomes an event.
    ///
    /// Dropping the future ends the program and everything that the program started: first gently, after five
    /// seconds for good. The drop waits for that end, so that nothing deploys any more when the drop is done.
    fn run<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<(), DeployError>>;
}

/// A release on its way to its environment.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// The images, pinned by digest.
    pub release: &'a Release,
    /// The repository's root.
    pub root: &'a Path,
    /// The consumer of the lines that the program prints.
    pub events: &'a EventSink,
    /// The guard that ends the program with its run, whatever ends the run; none where the process is not the
    /// program `dtbuild`, which supervises.
    pub guard: Option<&'a Guard>,
    /// The longest time that the program may take.
    pub timeout: Duration,
    /// The generation of the run's lease: a host can refuse a deployment of a lower one.
    pub generation: u64,
}

/// A guard of triggers: the parts of a supervisor that are the same for all triggers of an environment.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The path of the program `dtbuild`.
    pub supervisor: PathBuf,
    /// The file that is locked while a trigger of the environment runs on this machine; none where the machine has
    /// no folder for it.
    pub lock: Option<PathBuf>,
    /// The longest time between two renewals of the lease.
    pub patience: Duration,
    /// The renewals of the lease.
    pub renewals: watch::Receiver<()>,
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
