//! The files that a deployment itself reads, such as a playbook, and its settings in `build.toml`. A change of these
//! deploys again and builds nothing. Start with [`DeployInputs`].

use bstr::BStr;
use dtbuild_content::globs::{GlobFilter, Globs};

use super::inputs::globs;
use super::query::Query;
use crate::changed::ChangedPath;
use crate::config::Environment;
use crate::error::Result;
use crate::workspace::Workspace;

/// The files that match the globs in `paths` of an environment's deployment.
pub(crate) struct DeployInputs {
    globs: Option<Globs>,
    /// The digest of the files' tree; none where the environment declares no `paths`.
    pub(crate) digest: Option<String>,
    /// The digest of the environment's trigger and tag; none where the query has no environment.
    pub(crate) settings: Option<String>,
    /// The remarks on globs that match nothing.
    pub(crate) notes: Vec<String>,
}

impl DeployInputs {
    /// Reads the files of the query's environment, and computes their digest.
    pub(crate) fn read(workspace: &Workspace, query: &Query) -> Result<Self> {
        let environment = query.declared(workspace);
        let settings = environment.map(settings);
        let deploy = environment.and_then(|environment| environment.deploy.as_ref());
        let Some(declared) = deploy.and_then(|deploy| deploy.paths.as_ref()) else {
            return Ok(Self { globs: None, digest: None, settings, notes: Vec::new() });
        };
        let globs = declared.globs.clone();
        let filter = GlobFilter::including(globs.clone(), "");
        let digest = workspace.files.digest(&workspace.repository, BStr::new(""), &filter)?;
        let notes = globs::of_deployment(&workspace.repository, workspace.files, declared)?;
        Ok(Self { globs: Some(globs), digest: digest.map(|id| id.to_string()), settings, notes })
    }

    /// The changed paths that are among the deployment's files.
    pub(crate) fn changed(&self, changes: &[ChangedPath]) -> Vec<ChangedPath> {
        let Some(globs) = &self.globs else { return Vec::new() };
        changes.iter().filter(|change| globs.matches(change.path.as_ref())).cloned().collect()
    }
}

/// The digest of all settings that a deployment depends on besides the release and its files.
fn settings(environment: &Environment) -> String {
    // The struct is taken apart by name, so that a new field cannot be forgotten here.
    let Environment { name: _, branch: _, images: _, tag, deploy } = environment;
    let trigger = deploy.as_ref().map(|deploy| &deploy.trigger);
    let text = serde_json::json!({ "tag": tag.as_str(), "trigger": trigger }).to_string();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
