//! The view of the environments and the images that they run. Start with [`StatusView`], which is filled from the
//! records.

use std::io::{self, Write};

use console::Alignment;
use dtbuild_content::key::ImageKey;
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

/// The environments, with the images that they run.
pub struct StatusView {
    /// The environments, in the order in which they are shown.
    pub environments: Vec<EnvironmentView>,
    /// The time of the view, in seconds since 1970.
    pub now: i64,
}

/// One environment, with its last deployment and the images that it runs.
#[derive(Clone, Debug)]
pub struct EnvironmentView {
    /// The environment's name.
    pub environment: EnvironmentName,
    /// The branch that the environment follows.
    pub branch: Option<String>,
    /// The tag that names the images that the environment runs.
    pub tag: String,
    /// The commit that the environment runs; none if nothing was deployed yet, or a working tree was.
    pub commit: Option<String>,
    /// The time at which the last deployment ended, in seconds since 1970; none if there was no deployment.
    pub finished: Option<i64>,
    /// The outcome of the last deployment, such as `succeeded` or `failed: exit code 2`.
    pub outcome: Option<String>,
    /// The images that the environment runs.
    pub images: Vec<(ImageName, Reference, ImageKey)>,
    /// The work that is not done, such as a run that was cut short, or a lease that is held.
    pub pending: Option<String>,
    /// The hold that keeps the environment as it is, such as after a rollback.
    pub hold: Option<HoldView>,
}

/// A hold on an environment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
pub struct HoldView {
    /// The reason.
    pub reason: String,
    /// The person or job that set the hold.
    pub by: String,
    /// The commit that a deployed commit has to be newer than.
    pub newer_than: String,
}

/// The environments with the images that they run, as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub struct StatusJson<'a> {
    /// The version of this format.
    version: u32,
    environments: Vec<EnvironmentJson<'a>>,
}

/// One environment, with its last deployment and the images that it runs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Environment")]
struct EnvironmentJson<'a> {
    environment: &'a EnvironmentName,
    /// The branch that the environment follows.
    branch: Option<&'a str>,
    /// The tag that names the images that the environment runs.
    tag: &'a str,
    /// The commit that the environment runs; null if nothing was deployed yet, or a working tree was.
    commit: Option<&'a str>,
    /// The time at which the last deployment ended, in RFC 3339; null if there was no deployment.
    finished: Option<String>,
    /// The outcome of the last deployment, such as `succeeded` or `failed: exit code 2`.
    outcome: Option<&'a str>,
    /// The images that the environment runs.
    images: Vec<ImageJson<'a>>,
    /// The work that is not done, such as a run that was cut short.
    pending: Option<&'a str>,
    /// The hold that keeps the environment as it is, such as after a rollback.
    hold: Option<&'a HoldView>,
}

/// An image that an environment runs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Image")]
struct ImageJson<'a> {
    image: &'a ImageName,
    reference: &'a Reference,
    key: &'a ImageKey,
}

/// The text is a table of the environments, each with its images below.
impl View for StatusView {
    type Json<'v> = StatusJson<'v>;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        write_table(out, &self.environments, self.now, palette)
    }

    fn json(&self) -> StatusJson<'_> {
        let environments = self.environments.iter().map(environment_json).collect();
        StatusJson { version: VERSION, environments }
    }
}

fn write_table(out: &mut dyn Write, views: &[EnvironmentView], now: i64, palette: Palette) -> io::Result<()> {
    if views.is_empty() {
        return writeln!(out, "no environments are declared in build.toml");
    }
    let head = ["ENVIRONMENT", "RUNS", "SINCE", "OUTCOME", "TAG", "BRANCH"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(views.iter().map(|view| row(view, now))).collect();
    let widths = widths(&rows);
    let images = views.iter().flat_map(|view| &view.images);
    let name_width = images.map(|(name, ..)| name.as_str().len()).max().unwrap_or_default();
    writeln!(out, "{}", palette.dim(aligned(&rows[0], &widths)))?;
    for (view, row) in views.iter().zip(&rows[1..]) {
        writeln!(out, "{}", palette.bold(aligned(row, &widths)))?;
        for (name, reference, key) in &view.images {
            let version = version(reference);
            writeln!(out, "  {name:<name_width$}  {version}  key {}", text::short_hex(&key.to_string()))?;
        }
        if let Some(pending) = &view.pending {
            writeln!(out, "  {} {}", palette.busy("pending:"), text::one_line(pending))?;
        }
        if let Some(HoldView { reason, by, newer_than }) = &view.hold {
            let (reason, by) = (text::one_line(reason), text::one_line(by));
            let newer = text::short_commit(newer_than);
            writeln!(out, "  {} {reason}, by {by}; until a commit after {newer}", palette.busy("on hold:"))?;
        }
    }
    Ok(())
}

fn environment_json(view: &EnvironmentView) -> EnvironmentJson<'_> {
    EnvironmentJson {
        environment: &view.environment,
        branch: view.branch.as_deref(),
        tag: &view.tag,
        commit: view.commit.as_deref(),
        finished: view.finished.and_then(rfc3339),
        outcome: view.outcome.as_deref(),
        images: view
            .images
            .iter()
            .map(|(image, reference, key)| ImageJson { image, reference, key })
            .collect(),
        pending: view.pending.as_deref(),
        hold: view.hold.as_ref(),
    }
}

fn rfc3339(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}

fn row(view: &EnvironmentView, now: i64) -> [String; 6] {
    let nothing = || "-".to_owned();
    let runs = match (&view.commit, view.finished) {
        (Some(commit), _) => text::short_commit(commit).into_owned(),
        (None, Some(_)) if !view.images.is_empty() => "working tree".to_owned(),
        (None, _) => "nothing yet".to_owned(),
    };
    [
        view.environment.to_string(),
        runs,
        view.finished.map_or_else(nothing, |finished| text::ago(finished, now)),
        view.outcome.as_deref().map_or_else(nothing, text::one_line),
        text::name(&view.tag).into_owned(),
        view.branch.as_deref().map_or_else(nothing, |branch| text::name(branch).into_owned()),
    ]
}

fn widths(rows: &[[String; 6]]) -> [usize; 6] {
    std::array::from_fn(|column| {
        rows.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or_default()
    })
}

fn aligned(row: &[String; 6], widths: &[usize; 6]) -> String {
    let cells =
        row.iter().zip(widths).map(|(cell, width)| console::pad_str(cell, *width, Alignment::Left, None));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// The short digest of a reference, or the tag of a reference that is not pinned.
fn version(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => text::short_digest(digest.as_str()),
        (None, tag) => tag.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples::{image, key};
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    const NOW: i64 = 1_800_000_000;

    fn view() -> StatusView {
        let pinned =
            |name: &str| format!("registry.example.com/{name}@sha256:{}", "0f".repeat(32)).parse().unwrap();
        let staging = EnvironmentView {
            environment: "staging".parse().unwrap(),
            branch: Some("staging".into()),
            tag: "staging".into(),
            commit: Some("a1b2c3d4e5f60718293a4b5c6d7e8f9001122334".into()),
            finished: Some(NOW - 3 * 3600),
            outcome: Some("succeeded".into()),
            images: ["client", "db"].map(|name| (image(name), pinned(name), key(0xab))).into(),
            pending: Some("a run for 9f8e7d6 was cut short".into()),
            hold: Some(HoldView {
                reason: "rolled back from 9f8e7d6c5b to the deployment 1".into(),
                by: "ada".into(),
                newer_than: "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c".into(),
            }),
        };
        let production = EnvironmentView {
            environment: "production".parse().unwrap(),
            branch: Some("master".into()),
            tag: "production".into(),
            commit: None,
            finished: None,
            outcome: None,
            images: Vec::new(),
            pending: None,
            hold: None,
        };
        StatusView { environments: vec![staging, production], now: NOW }
    }

    #[test]
    fn environments_are_a_table() {
        insta::assert_snapshot!(shown(&view(), false), @r"
        ENVIRONMENT  RUNS         SINCE        OUTCOME    TAG         BRANCH
        staging      a1b2c3d      3 hours ago  succeeded  staging     staging
          client  sha256:0f0f0f0f0f0f  key abababababab
          db      sha256:0f0f0f0f0f0f  key abababababab
          pending: a run for 9f8e7d6 was cut short
          on hold: rolled back from 9f8e7d6c5b to the deployment 1, by ada; until a commit after 9f8e7d6
        production   nothing yet  -            -          production  master
        ");
    }

    #[test]
    fn json_has_times_in_full() {
        let json: serde_json::Value = serde_json::from_str(&json_of(&view())).unwrap();
        assert_valid("status", &json);
        assert_eq!(json["version"], 1);
        assert_eq!(json["environments"][0]["finished"], "2027-01-15T05:00:00Z");
        assert_eq!(json["environments"][0]["images"][0]["image"], "client");
        assert!(json["environments"][1]["finished"].is_null());
    }
}
