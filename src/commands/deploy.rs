//! `dtbuild deploy`: the images of a commit that were built and pushed before.

use super::run::Step;
use crate::cli::{Building, DeployArgs, Global, Selection};
use crate::clients::Clients;
use crate::error::{Code, Error, Result};
use crate::gather::Query;
use crate::workspace::Workspace;

/// Runs `dtbuild deploy`. It always deploys: who asks for it has a reason, and a good playbook changes nothing
/// when there is nothing to change.
pub(super) fn deploy(global: &Global, args: &DeployArgs) -> Result<u8> {
    let selection =
        Selection { environment: args.environment.clone(), head: args.head.clone(), ..Selection::default() };
    let clients = Clients::default();
    let workspace = Workspace::at_commit(global, &selection.head)?;
    let mut query = Query::release(&workspace, &selection)?;
    query.request.deploy_anyway = true;
    query.explained = false;
    let building = Building::default();
    let step = Step { global, clients: &clients, workspace: &workspace, query: &query, building: &building };
    let prepared = step.prepare()?;
    let missing: Vec<String> = prepared.plan.builds().map(|image| format!("`{}`", image.name)).collect();
    if !missing.is_empty() {
        let message = format!("not built yet for {}: {}", workspace.files, missing.join(", "));
        return Err(Error::new(Code::ImageNotBuilt, message)
            .hint("run `dtbuild` for the environment, which builds and deploys"));
    }
    step.execute(prepared)
}
