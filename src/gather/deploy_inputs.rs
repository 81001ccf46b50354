//! The files that a deployment itself reads, such as a playbook. A change of these files deploys again and
//! builds nothing. Start with [`DeployInputs`].

use bstr::BStr;
use dtbuild_content::globs::{GlobFilter, Globs};

use super::inputs::globs;
use super::query::Query;
use crate::changed::ChangedPath;
use crate::error::Result;
use crate::workspace::Workspace;

/// The files that match the globs in `paths` of an environment's deployment.
pub(crate) struct DeployInputs {
    globs: Option<Globs>,
    /// The digest of the files' tree; none where the environment declares no `paths`.
    pub(crate) digest: Option<String>,
    /// The remarks on globs that match nothing.
    pub(crate) notes: Vec<String>,
}

impl DeployInputs {
    /// Reads the files of the query's environment, and computes their digest.
    pub(crate) fn read(workspace: &Workspace, query: &Query) -> Result<Self> {
        let deploy = query.declared(workspace).and_then(|environment| environment.deploy.as_ref());
        let Some(declared) = deploy.and_then(|deploy| deploy.paths.as_ref()) else {
            return Ok(Self { globs: None, digest: None, notes: Vec::new() });
        };
        let globs = declared.globs.clone();
        let filter = GlobFilter::including(globs.clone(), "");
        let digest = workspace.files.digest(&workspace.repository, BStr::new(""), &filter)?;
        let notes = globs::of_deployment(&workspace.repository, workspace.files, declared)?;
        Ok(Self { globs: Some(globs), digest: digest.map(|id| id.to_string()), notes })
    }

    /// The changed paths that are among the deployment's files.
    pub(crate) fn changed(&self, changes: &[ChangedPath]) -> Vec<ChangedPath> {
        let Some(globs) = &self.globs else { return Vec::new() };
        changes.iter().filter(|change| globs.matches(change.path.as_ref())).cloned().collect()
    }
}
