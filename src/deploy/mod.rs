//! Deployments: a [`Release`] is brought to an environment by what `build.toml` names.
//!
//! Start with [`run`]; [`check`] finds what is missing before anything is built. Programs are run as argument
//! vectors from the repository's root and are told the release by a file and by variables:
//!
//! | variable | value |
//! | --- | --- |
//! | `DTBUILD_PROJECT` | the project |
//! | `DTBUILD_ENVIRONMENT` | the environment |
//! | `DTBUILD_COMMIT` | the commit's id; not set for the working tree |
//! | `DTBUILD_RELEASE` | the path of the release's JSON file, which goes when the program ends |
//! | `DTBUILD_IMAGE_<NAME>` | an image, pinned by digest; the name in capitals, `_` for `-` and `.` |

use std::path::Path;

use crate::config::Trigger;
use crate::events::EventSink;

mod ansible;
mod command;
mod error;
mod process;
mod release;

pub use error::DeployError;
pub use release::Release;

/// Finds out, before any work, whether what is to be run is there. `root` is the repository's.
pub fn check(trigger: &Trigger, root: &Path) -> Result<(), DeployError> {
    match trigger {
        Trigger::Command { argv } => command::check(argv, root),
        Trigger::Ansible { playbook, inventory, .. } => ansible::check(playbook, inventory.as_deref(), root),
    }
}

/// Brings a release to its environment. What the program prints becomes events, line by line.
///
/// Dropping the future ends the program and all that it started: first gently, after five seconds for good.
/// The drop waits for that, so that nothing deploys any more when it is done.
pub async fn run(
    trigger: &Trigger,
    release: &Release,
    root: &Path,
    events: &EventSink,
) -> Result<(), DeployError> {
    check(trigger, root)?;
    let variables = release.variables()?;
    let files = release.write_files(trigger.kind() == "ansible")?;
    let mut program = match trigger {
        Trigger::Command { argv } => command::program(argv, root)?,
        Trigger::Ansible { playbook, inventory, args } => {
            ansible::program(playbook, inventory.as_deref(), args, &files.variables(), root)?
        }
    };
    if release.commit.is_none() {
        // One that dtbuild itself was started with would be another's.
        program.removed.push("DTBUILD_COMMIT");
    }
    program.variables.extend(variables);
    program.variables.insert("DTBUILD_RELEASE".to_owned(), files.release().into_os_string());
    process::run(&program, root, events).await
}
