//! From the command line to the plain options of the core.

use std::time::Duration;

use crate::cli::{Building, FilesArgs, Global, Selection};
use crate::clients::{self, Clients};
use crate::error::Result;
use crate::gather::ReleaseOptions;
use crate::process::Signals;
use crate::release::BuildSettings;
use crate::workspace::{Location, Workspace};

/// The place of the repository.
pub(super) fn location(global: &Global) -> Location {
    let directory = global.directory.clone().unwrap_or_else(|| ".".into());
    Location { directory, registry: global.registry.clone(), code: global.code }
}

/// The workspace at the commit, or on the disk, that the command line asks for.
pub(super) fn workspace(global: &Global, files: &FilesArgs) -> Result<Workspace> {
    let location = location(global);
    if files.disk { Workspace::on_disk(&location) } else { Workspace::at_commit(&location, &files.head) }
}

/// Clients of a command that asks, or asks nobody.
pub(super) fn asking(offline: bool) -> Clients {
    Clients::new(clients::Options { offline, signals: Signals::of_process(), ..Default::default() })
}

/// Clients of a command that builds.
pub(super) fn building(building: &Building) -> Clients {
    let silence_limit = Some(Duration::from_secs(building.silence_limit));
    Clients::new(clients::Options { offline: false, silence_limit, signals: Signals::of_process() })
}

/// How images are built.
pub(super) fn settings(building: &Building) -> BuildSettings {
    BuildSettings { jobs: building.jobs, keep_going: building.keep_going }
}

/// What is released.
pub(super) fn release(selection: &Selection) -> ReleaseOptions {
    ReleaseOptions {
        environment: selection.environment.clone(),
        base: selection.base.clone(),
        only: selection.only.clone(),
        force: selection.force,
    }
}
