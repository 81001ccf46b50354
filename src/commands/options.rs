//! Conversions of the command line's arguments into the options of the core. Start with [`location`].

use std::time::Duration;

use crate::cli::{Building, FilesArgs, Global, Selection};
use crate::clients::{self, Clients};
use crate::error::Result;
use crate::gather::ReleaseOptions;
use crate::process::Signals;
use crate::release::BuildSettings;
use crate::workspace::{Location, Workspace};

/// The location of the repository, with the registry and the fingerprint of the code.
pub(super) fn location(global: &Global) -> Location {
    let directory = global.directory.clone().unwrap_or_else(|| ".".into());
    Location { directory, registry: global.registry.clone(), code: global.code }
}

/// The workspace at the commit, or on the disk, that the command line asks for.
pub(super) fn workspace(global: &Global, files: &FilesArgs) -> Result<Workspace> {
    let location = location(global);
    if files.disk { Workspace::on_disk(&location) } else { Workspace::at_commit(&location, &files.head) }
}

/// The clients of a command that builds nothing; offline clients connect to nothing.
pub(super) fn asking(offline: bool) -> Clients {
    Clients::new(clients::Options { offline, silence_limit: None, ..of_process() })
}

/// The clients of a command that builds; offline clients connect to nothing.
pub(super) fn building(building: &Building, offline: bool) -> Clients {
    let silence_limit = Some(Duration::from_secs(building.silence_limit));
    Clients::new(clients::Options { offline, silence_limit, ..of_process() })
}

/// The parts of the clients that this process has: its signals, and its program, wherever the file was moved to
/// meanwhile. Only Linux hands the processes that a trigger leaves behind to a supervisor.
fn of_process() -> clients::Options {
    let supervisor = cfg!(target_os = "linux").then(|| "/proc/self/exe".into());
    clients::Options { signals: Signals::of_process(), supervisor, ..clients::Options::default() }
}

/// The settings of builds.
pub(super) fn settings(building: &Building) -> BuildSettings {
    BuildSettings { jobs: building.jobs, keep_going: building.keep_going }
}

/// The person or job that runs the command, for people to read.
pub(super) fn user() -> String {
    let user = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"];
    let user = user.iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    user.unwrap_or_else(|| "somebody".to_owned())
}

/// The options of a release: the environment, the base and the images.
pub(super) fn release(selection: &Selection) -> ReleaseOptions {
    ReleaseOptions {
        environment: selection.environment.clone(),
        base: selection.base.clone(),
        only: selection.only.clone(),
        force: selection.force,
        allow_older: selection.allow_older,
    }
}
