//! `dtbuild history`: the deployments of an environment. Start with [`history`].

use time::OffsetDateTime;

use super::options;
use crate::cli::{Global, HistoryArgs};
use crate::error::Result;
use crate::ui;
use crate::ui::history::{EntryView, HistoryView};
use crate::workspace::Workspace;

/// Runs `dtbuild history`.
pub(super) async fn history(global: &Global, args: &HistoryArgs) -> Result<u8> {
    let clients = options::asking(args.offline);
    let workspace = Workspace::at_commit(&options::location(global), "HEAD")?;
    let environment = workspace.environment(Some(&args.environment))?;
    let deployments = clients.records(&workspace)?.history(&environment.name).await?;
    let entries = deployments.into_iter().map(|one| EntryView {
        outcome: one.outcome.to_string(),
        id: one.id,
        generation: one.generation,
        commit: one.commit,
        started: one.started.unix_timestamp(),
        finished: one.finished.map(OffsetDateTime::unix_timestamp),
        images: one.images.into_iter().map(|(name, image)| (name, image.reference)).collect(),
    });
    let now = OffsetDateTime::now_utc().unix_timestamp();
    ui::print(
        &HistoryView { environment: &environment.name, entries: entries.collect(), now },
        global.format(),
    )?;
    Ok(0)
}
