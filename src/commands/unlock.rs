//! `dtbuild unlock`: takes the right to deploy away from a run that hangs. Start with [`unlock`].

use super::options;
use crate::cli::{Global, UnlockArgs};
use crate::error::Result;
use crate::ui;
use crate::ui::unlock::UnlockView;
use crate::workspace::Workspace;

/// Runs `dtbuild unlock`.
pub(super) async fn unlock(global: &Global, args: &UnlockArgs) -> Result<u8> {
    let clients = options::asking(false);
    let workspace = Workspace::at_commit(&options::location(global), "HEAD")?;
    let environment = workspace.environment(Some(&args.environment))?;
    let records = clients.records(&workspace)?;
    let holder = records.unlock(&environment.name, &args.reason).await?.map(|holder| holder.to_string());
    ui::print(&UnlockView { environment: &environment.name, holder: holder.as_deref() }, global.format())?;
    Ok(0)
}
