//! The view of an environment's deployments. Start with [`HistoryView`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{EnvironmentName, ImageName};
use crate::reference::Reference;

use super::style::Palette;
use super::text;
use super::view::View;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// The deployments of an environment.
pub struct HistoryView<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The deployments, the newest first.
    pub entries: Vec<EntryView>,
    /// The time of the view, in seconds since 1970.
    pub now: i64,
}

/// One deployment, or another event of the history.
pub struct EntryView {
    /// The deployment's id.
    pub id: String,
    /// The generation of the lease under which it was made.
    pub generation: u64,
    /// The commit; none for the working tree.
    pub commit: Option<String>,
    /// The time at which it began, in seconds since 1970.
    pub started: i64,
    /// The time at which it ended; none where it goes on, or was killed.
    pub finished: Option<i64>,
    /// The outcome, such as `succeeded` or `failed: exit code 2`.
    pub outcome: String,
    /// The images of the release.
    pub images: BTreeMap<ImageName, Reference>,
}

/// The deployments of an environment as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub struct HistoryJson<'a> {
    /// The version of this format.
    version: u32,
    environment: &'a EnvironmentName,
    /// The deployments, the newest first.
    deployments: Vec<EntryJson<'a>>,
}

/// One deployment, or another event of the history.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Deployment")]
struct EntryJson<'a> {
    id: &'a str,
    /// The generation of the lease under which it was made.
    generation: u64,
    /// The commit; null for the working tree.
    commit: Option<&'a str>,
    /// The time at which it began, in RFC 3339.
    started: Option<String>,
    /// The time at which it ended, in RFC 3339; null where it goes on, or was killed.
    finished: Option<String>,
    /// The outcome, such as `succeeded` or `failed: exit code 2`.
    outcome: &'a str,
    /// The references of the images, by name.
    images: &'a BTreeMap<ImageName, Reference>,
}

/// The text has a line per deployment.
impl View for HistoryView<'_> {
    type Json<'v>
        = HistoryJson<'v>
    where
        Self: 'v;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        if self.entries.is_empty() {
            return writeln!(out, "{}: nothing was deployed yet", self.environment);
        }
        let width =
            self.entries.iter().map(|entry| entry.id.len()).chain(["ID".len()]).max().unwrap_or_default();
        let head = format!("{:<width$}  {:<10}  {:<14}  OUTCOME", "ID", "COMMIT", "WHEN");
        writeln!(out, "{}", palette.dim(head))?;
        self.entries.iter().try_for_each(|entry| {
            let commit = entry.commit.as_deref().map_or("-".into(), text::short_commit);
            let when = text::ago(entry.finished.unwrap_or(entry.started), self.now);
            let (id, outcome) = (text::one_line(&entry.id), text::one_line(&entry.outcome));
            writeln!(out, "{id:<width$}  {commit:<10}  {when:<14}  {outcome}")
        })
    }

    fn json(&self) -> HistoryJson<'_> {
        let deployments = self.entries.iter().map(|entry| EntryJson {
            id: &entry.id,
            generation: entry.generation,
            commit: entry.commit.as_deref(),
            started: rfc3339(entry.started),
            finished: entry.finished.and_then(rfc3339),
            outcome: &entry.outcome,
            images: &entry.images,
        });
        HistoryJson { version: VERSION, environment: self.environment, deployments: deployments.collect() }
    }
}

fn rfc3339(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    #[test]
    fn deployments_are_lines_the_newest_first() {
        let entry = |id: &str, commit: Option<&str>, finished, outcome: &str| EntryView {
            id: id.to_owned(),
            generation: 2,
            commit: commit.map(str::to_owned),
            started: 1_800_000_000,
            finished,
            outcome: outcome.to_owned(),
            images: BTreeMap::new(),
        };
        let environment = "staging".parse().unwrap();
        let entries = vec![
            entry("b", Some("a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"), None, "started"),
            entry("a", None, Some(1_800_000_060), "failed: exit code 2\nsee above"),
        ];
        let history = HistoryView { environment: &environment, entries, now: 1_800_003_600 };
        let text = shown(&history, false);
        assert!(text.contains("\nb   a1b2c3d"), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_valid("history", &serde_json::from_str(&json_of(&history)).unwrap());
    }
}
