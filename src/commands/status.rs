//! `dtbuild status`: the images that the environments run. Start with [`status`].

use time::OffsetDateTime;

use super::options;
use crate::cli::{Global, StatusArgs};
use crate::config::Environment;
use crate::error::Result;
use crate::record::{Outcome, Record};
use crate::ui;
use crate::ui::status::{EnvironmentView, HoldView, StatusView};
use crate::workspace::Workspace;

/// Runs `dtbuild status`.
pub(super) async fn status(global: &Global, args: &StatusArgs) -> Result<u8> {
    let clients = options::asking(args.offline);
    let workspace = Workspace::at_commit(&options::location(global), "HEAD")?;
    let environments: Vec<&Environment> = match &args.environment {
        None => workspace.config.environments.values().collect(),
        Some(_) => vec![workspace.environment(args.environment.as_ref())?],
    };
    let store = clients.records(&workspace)?;
    let mut views = Vec::with_capacity(environments.len());
    for environment in environments {
        let stored = store.read(&environment.name).await?;
        views.push(view(environment, &stored.record));
    }
    let now = OffsetDateTime::now_utc().unix_timestamp();
    ui::print(&StatusView { environments: views, now }, global.format())?;
    Ok(0)
}

fn view(environment: &Environment, record: &Record) -> EnvironmentView {
    let (current, last) = (record.current(), record.last());
    let images = current.into_iter().flat_map(|current| &current.images);
    EnvironmentView {
        environment: environment.name.clone(),
        branch: environment.branch.clone(),
        tag: match current.and_then(|current| current.commit.as_deref()) {
            Some(commit) => environment.tag.of_commit(commit),
            None => environment.tag.as_str().to_owned(),
        },
        commit: current.and_then(|current| current.commit.clone()),
        finished: last.map(|last| last.finished.unwrap_or(last.started).unix_timestamp()),
        outcome: last.map(|last| last.outcome.to_string()),
        images: images.map(|(name, image)| (name.clone(), image.reference.clone(), image.key)).collect(),
        pending: pending(record),
        hold: record.hold().map(|hold| HoldView {
            reason: hold.reason.clone(),
            by: hold.by.clone(),
            newer_than: hold.newer_than.clone(),
        }),
    }
}

/// The work that is not done: a lease that is held, else a last deployment that is not what runs.
fn pending(record: &Record) -> Option<String> {
    if let Some(holder) = record.holder() {
        return Some(format!("{holder} deploys, or has deployed and was killed"));
    }
    let last = record.last().filter(|last| last.outcome != Outcome::Succeeded)?;
    let commit = last.commit.as_deref().map_or("the working tree", |commit| &commit[..commit.len().min(7)]);
    Some(match &last.outcome {
        Outcome::Started => format!("{commit} was started and has not ended"),
        Outcome::Tagged => format!("{commit} was tagged and not deployed by dtbuild"),
        Outcome::Unlocked { holder, .. } => format!("{holder} lost its right to deploy"),
        _ => format!("{commit} did not succeed"),
    })
}
