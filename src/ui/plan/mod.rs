//! The view of a [`Plan`]: the images that would be built, and the reasons. Start with [`PlanJson`]; `docs/plan.md`
//! documents the JSON.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::{EnvironmentName, ImageName};
use crate::plan::unknown::WAYS_OUT;
use crate::plan::{Base, Decision, DeployDecision, Head, NoDeploy, Plan, PlannedImage, Reason, UnknownImage};
use crate::reference::Repository;

use super::lines::counts;
use super::reason::words;
use super::style::Palette;
use super::text;
use super::view::View;

/// The most changed paths that are named per image; the other paths are a number.
const PATHS: usize = 5;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// A plan as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct PlanJson<'a> {
    /// The version of this format.
    version: u32,
    /// Where the release is to go; none for a local build.
    environment: Option<&'a EnvironmentName>,
    /// The commit that the environment runs, and whether the diff against it could be had.
    base: &'a Base,
    /// What is built.
    head: &'a Head,
    /// The images, each after those it is built from.
    images: Vec<ImageJson<'a>>,
    /// The images that the environment runs, and that are no part of the release any more.
    #[serde(skip_serializing_if = "<[ImageName]>::is_empty")]
    removed: &'a [ImageName],
    /// Whether the environment is to be deployed, and why.
    deploy: &'a DeployDecision,
    /// The digest of what the deployment itself reads; recorded with it.
    deploy_inputs: Option<&'a str>,
    /// What its reader should know, besides the notes of images.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

/// An image of the plan.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum ImageJson<'a> {
    /// What is done with it is decided.
    Planned(&'a PlannedImage),
    /// Nothing is, as a base image cannot be had.
    Unknown(UnknownJson<'a>),
}

/// An image that cannot be decided, since a base image cannot be had.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UnknownImage")]
struct UnknownJson<'a> {
    /// Which image.
    name: &'a ImageName,
    /// The one word that says so.
    decision: Unknown,
    /// The base images that cannot be had, each with what was tried.
    reasons: &'a [Reason],
    /// What its author should know.
    notes: &'a [String],
    /// Null: not known.
    key: Option<&'a str>,
    /// Null: not known.
    fields: Option<&'a str>,
    /// Where the image lives.
    repository: &'a Repository,
    /// Null: not known.
    digest: Option<&'a str>,
    /// None are told.
    dependencies: [&'a ImageName; 0],
    /// Whether this image is part of the environment's release.
    released: bool,
}

/// What is not decided.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Unknown {
    /// A base image cannot be had, so the key is not known.
    Unknown,
}

impl<'a> From<&'a UnknownImage> for UnknownJson<'a> {
    fn from(image: &'a UnknownImage) -> Self {
        Self {
            name: &image.name,
            decision: Unknown::Unknown,
            reasons: &image.reasons,
            notes: &image.notes,
            key: None,
            fields: None,
            repository: &image.repository,
            digest: None,
            dependencies: [],
            released: true,
        }
    }
}

/// The text has a heading, a line per image, the deployment and a summary.
impl View for Plan {
    type Json<'v> = PlanJson<'v>;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        write_plan(out, self, palette)
    }

    fn json(&self) -> PlanJson<'_> {
        let known = self.images.iter().map(ImageJson::Planned);
        let unknown = self.unknown.iter().map(|image| ImageJson::Unknown(image.into()));
        PlanJson {
            version: VERSION,
            environment: self.environment.as_ref(),
            base: &self.base,
            head: &self.head,
            images: known.chain(unknown).collect(),
            removed: &self.removed,
            deploy: &self.deploy,
            deploy_inputs: self.deploy_inputs.as_deref(),
            notes: &self.notes,
        }
    }
}

fn write_plan(out: &mut dyn Write, plan: &Plan, palette: Palette) -> io::Result<()> {
    writeln!(out, "{}", palette.bold(heading(plan)))?;
    if let Base::Missing { commit, reason } = &plan.base {
        let commit = text::short_commit(commit);
        let reason = text::one_line(reason);
        writeln!(out, "  {commit} is not in this clone: {reason}; keys alone decide, causes are not named")?;
    }
    let names = plan.images.iter().map(|image| &image.name).chain(&plan.removed);
    let names = names.chain(plan.unknown.iter().map(|image| &image.name));
    let width = names.map(|name| name.as_str().len()).max().unwrap_or_default();
    let obscure = plan.images.iter().filter(|image| !image.unknown_triggers.is_empty()).count();
    for image in &plan.images {
        write_image(out, image, width, obscure > 1, palette)?;
    }
    for image in &plan.unknown {
        write!(out, "  {:<width$}  {}", image.name, palette.bad("unknown"))?;
        write_phrases(out, &phrases(&image.reasons), width + 13)?;
    }
    if plan.lacks_decisions() {
        writeln!(out, "hint: {WAYS_OUT}")?;
    }
    if obscure > 1 {
        writeln!(out, "{}", unknown_triggers(obscure))?;
    }
    for name in &plan.removed {
        let why =
            if plan.environment.is_some() { "no part of the release any more" } else { "declared no more" };
        writeln!(out, "  {name:<width$}  {}  {why}", palette.dim("drop "))?;
    }
    if let DeployDecision::Deploy { reasons } = &plan.deploy {
        let environment = plan.environment.as_ref().map_or("", EnvironmentName::as_str);
        let label = format!("deploy {environment}");
        let phrases = phrases(reasons);
        write!(out, "{}", palette.busy(label.trim_end()))?;
        write_phrases(out, &phrases, label.trim_end().len() + 2)?;
    }
    plan.notes.iter().try_for_each(|note| writeln!(out, "note: {}", text::one_line(note)))?;
    writeln!(out, "{}", palette.bold(summary(plan)))
}

/// One line for all images that stand on base images of which too little is known.
fn unknown_triggers(images: usize) -> String {
    format!(
        "note: {images} images stand on base images whose ONBUILD instructions, if they have any, are not known, so all that \
         is given to them counts: `dtbuild lock` asks, `dtbuild inputs IMAGE` names the lines"
    )
}

fn write_image(
    out: &mut dyn Write,
    image: &PlannedImage,
    width: usize,
    told_together: bool,
    palette: Palette,
) -> io::Result<()> {
    let decision = match image.decision {
        Decision::Build => palette.busy("build"),
        Decision::Reuse => palette.calm("reuse"),
        Decision::Keep => palette.dim("keep "),
    };
    let mut phrases = phrases(&image.reasons);
    if !image.released {
        phrases.push("not deployed itself: other images are built from it".to_owned());
    }
    let own = image.notes.iter().filter(|note| !told_together || !image.unknown_triggers.contains(note));
    phrases.extend(own.map(|note| format!("note: {}", text::one_line(note))));
    write!(out, "  {:<width$}  {decision}", image.name)?;
    // The indent is two spaces, the name, two spaces, five letters of the decision and two spaces.
    write_phrases(out, &phrases, width + 11)
}

/// Writes the first phrase on the line that was begun, and each other phrase on a line below, indented.
fn write_phrases(out: &mut dyn Write, phrases: &[String], indent: usize) -> io::Result<()> {
    let Some((first, others)) = phrases.split_first() else { return writeln!(out) };
    writeln!(out, "  {first}")?;
    others.iter().try_for_each(|phrase| writeln!(out, "{:indent$}{phrase}", ""))
}

/// The reasons in words: the telling reasons first, then at most [`PATHS`] changed paths. Reasons that every build has
/// (no image of its key yet) are left out unless there is no other reason.
pub(super) fn phrases(reasons: &[Reason]) -> Vec<String> {
    let (paths, others): (Vec<_>, Vec<_>) = reasons.iter().partition(|reason| is_path(reason));
    let telling =
        |reason: &&&Reason| !matches!(reason, Reason::NotInCache | Reason::KeyDiffers | Reason::InCache);
    let mut phrases: Vec<String> = others.iter().filter(telling).map(|reason| words(reason)).collect();
    phrases.extend(paths.iter().take(PATHS).map(|reason| words(reason)));
    if paths.len() > PATHS {
        phrases.push(format!("and {} more", paths.len() - PATHS));
    }
    if phrases.is_empty() {
        phrases.extend(others.iter().map(|reason| words(reason)));
    }
    phrases
}

fn is_path(reason: &Reason) -> bool {
    matches!(reason, Reason::PathChanged(_) | Reason::DeployPathChanged(_))
}

/// The plan's heading: the environment and the commits, such as `staging: 9f8e7d6..a1b2c3d`.
pub(super) fn heading(plan: &Plan) -> String {
    let head = head_words(&plan.head);
    let range = match &plan.base {
        Base::Known { commit } | Base::Missing { commit, .. } => {
            format!("{}..{head}", text::short_commit(commit))
        }
        Base::None if plan.images.iter().any(is_first) => format!("{head}, the first deployment"),
        Base::None => head,
    };
    match &plan.environment {
        Some(environment) => format!("{environment}: {range}"),
        None => range,
    }
}

fn head_words(head: &Head) -> String {
    match head {
        Head::Commit { id } => text::short_commit(id).into_owned(),
        Head::WorkingTree { commit: Some(commit) } => {
            format!("the working tree (on {})", text::short_commit(commit))
        }
        Head::WorkingTree { commit: None } => "the working tree".to_owned(),
    }
}

fn is_first(image: &PlannedImage) -> bool {
    image.released && image.reasons.contains(&Reason::NotDeployed)
}

/// The plan's summary in a line, such as `1 to build, 2 kept; deploys staging`.
fn summary(plan: &Plan) -> String {
    let mut counts = counts(plan.images.iter().map(|image| image.decision));
    if !plan.unknown.is_empty() {
        let unknown = format!("{} unknown", plan.unknown.len());
        counts = if plan.images.is_empty() { unknown } else { format!("{counts}, {unknown}") };
    }
    let idle = plan.images.iter().all(|image| image.decision == Decision::Keep);
    match (&plan.deploy, &plan.environment) {
        (DeployDecision::Deploy { .. }, Some(environment)) => format!("{counts}; deploys {environment}"),
        (DeployDecision::Deploy { .. }, None) => format!("{counts}; deploys"),
        (DeployDecision::Nothing { reason: NoDeploy::Comparison }, _) if idle => {
            "nothing to build: every key is the same".to_owned()
        }
        (DeployDecision::Nothing { reason: NoDeploy::Comparison }, _) => counts,
        (DeployDecision::Nothing { reason: NoDeploy::Superseded }, Some(environment)) => format!(
            "superseded: {environment} runs a newer commit than {}; nothing is done (`--allow-older` deploys it all the same)",
            head_words(&plan.head)
        ),
        (DeployDecision::Nothing { .. }, Some(environment)) if idle && plan.unknown.is_empty() => {
            nothing_to_do(plan, environment)
        }
        (DeployDecision::Nothing { reason }, _) => {
            format!("{counts}; no deployment: {reason}")
        }
    }
}

/// The summary of an idle plan: `nothing to do: staging runs the images of a1b2c3d`. The commit that the environment
/// runs is not said: `--base` may have named another commit as the base.
fn nothing_to_do(plan: &Plan, environment: &EnvironmentName) -> String {
    if plan.images.iter().any(|image| image.reasons.contains(&Reason::LeftOut)) {
        return format!("nothing to do: {environment} runs the images that `--only` names");
    }
    format!("nothing to do: {environment} runs the images of {}", head_words(&plan.head))
}

#[cfg(test)]
mod tests;
