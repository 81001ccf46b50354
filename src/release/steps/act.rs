//! The act that brings a release to its environment: whatever causes a deployment ends here. Start with [`Act`].

use super::super::Observer;
use crate::config::Environment;
use crate::deploy::{Guard, Release};
use crate::error::Result;
use crate::registry::Registry;
use crate::workspace::Workspace;

/// The means by which a release, pinned by digests, is brought to its environment.
pub(in crate::release) struct Act<'a> {
    /// The workspace that has the trigger's files.
    pub(in crate::release) workspace: &'a Workspace,
    /// The target environment.
    pub(in crate::release) environment: &'a Environment,
    /// The client of the registry that has the images and tags.
    pub(in crate::release) registry: &'a Registry,
    /// The observer of the run.
    pub(in crate::release) observer: &'a Observer,
    /// The guard of the trigger.
    pub(in crate::release) guard: Option<Guard>,
    /// The generation of the run's lease.
    pub(in crate::release) generation: u64,
}

impl Act<'_> {
    /// Moves the environment's tags to a release, and hands it to the trigger.
    pub(in crate::release) async fn apply(&self, release: &Release) -> Result<()> {
        self.move_tags(release).await?;
        self.deploy(release).await
    }
}
