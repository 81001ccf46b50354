//! The programs that deploy: whether each environment's is there. Start with [`look`].

use super::failed;
use crate::deploy;
use crate::error::{Error, Result};
use crate::ui::doctor::Finding;
use crate::workspace::Workspace;

/// Looks at the program of each environment's deployment.
pub(super) fn look(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for environment in workspace.config.environments.values() {
        let Some(deploy) = &environment.deploy else { continue };
        let check = || -> Result<()> {
            let root = workspace.repository.root()?;
            deploy::open(&deploy.trigger).check(root).map_err(Error::from)
        };
        findings.push(match check() {
            Ok(()) => Finding::good(
                "deployment",
                format!("of `{}`: what its `{}` runs is there", environment.name, deploy.trigger.kind()),
            ),
            Err(mut error) => {
                error.message = format!("of `{}`: {}", environment.name, error.message);
                failed("deployment", &error)
            }
        });
    }
}
