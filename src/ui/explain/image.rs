//! The view of an image: the reasons why the image is built, reused or kept, and the fields of its key. Start with
//! [`ImageView`].

use std::io::{self, Write};

use dtbuild_content::key::{ImageKey, SharedFields};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::{EnvironmentName, ImageName};
use crate::plan::{Base, Decision, Head, Plan, PlannedImage, Reader, Reason};
use crate::ui::plan::heading;
use crate::ui::reason::words;
use crate::ui::style::Palette;
use crate::ui::text;
use crate::ui::view::View;

use super::{VERSION, reader_words};

/// A reason, with the readers of the path that changed.
#[derive(Serialize, JsonSchema)]
pub struct Cause {
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
    /// The readers of the changed path; empty for reasons other than a changed path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_by: Vec<Reader>,
}

/// The explanation of an image's decision: the reasons why the image is built, reused or kept.
pub struct ImageView<'a> {
    /// The plan that has the image.
    pub plan: &'a Plan,
    /// The image in the plan.
    pub image: &'a PlannedImage,
    /// The path of the image's Dockerfile.
    pub dockerfile: String,
    /// The reasons, each with the readers of the changed path.
    pub causes: Vec<Cause>,
    /// The images that are built from this image.
    pub dependents: Vec<ImageName>,
    /// Notes on inputs that are not exact, or that count as a whole.
    pub notes: Vec<String>,
}

/// The explanation of an image as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ImageExplanation")]
pub struct ImageJson<'a> {
    /// The version of this format.
    version: u32,
    image: &'a ImageName,
    /// The environment; null for a local build.
    environment: Option<&'a EnvironmentName>,
    base: &'a Base,
    head: &'a Head,
    decision: Decision,
    /// The reasons for the decision, each with the readers of the changed path.
    causes: &'a [Cause],
    /// The images that are built from this image.
    dependents: &'a [ImageName],
    /// Notes on inputs that are not exact, or that count as a whole.
    notes: &'a [String],
    key: &'a ImageKey,
    /// The fields from which the key was computed.
    fields: &'a SharedFields,
}

/// The text has the decision with its causes, the images that are built from this image, and the key with its fields.
impl View for ImageView<'_> {
    type Json<'v>
        = ImageJson<'v>
    where
        Self: 'v;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        let decision = match self.image.decision {
            Decision::Build => palette.busy("build"),
            Decision::Reuse => palette.calm("reuse"),
            Decision::Keep => palette.dim("keep"),
        };
        let heading = palette.bold(format!("{}: {}", heading(self.plan), self.image.name));
        writeln!(out, "{heading}  {decision}")?;
        for cause in &self.causes {
            writeln!(out, "  {}", words(&cause.reason))?;
            for reader in &cause.read_by {
                writeln!(out, "    {}", palette.dim(reader_words(reader)))?;
            }
        }
        if !self.dependents.is_empty() {
            let names: Vec<&str> = self.dependents.iter().map(ImageName::as_str).collect();
            writeln!(out, "{}", palette.bold("built from it"))?;
            writeln!(out, "  {}", names.join(", "))?;
        }
        if !self.notes.is_empty() {
            writeln!(out, "{}", palette.bold("not exact"))?;
            self.notes.iter().try_for_each(|note| writeln!(out, "  {}", text::one_line(note)))?;
        }
        writeln!(out, "{}", palette.bold(format!("key {}", self.image.key)))?;
        fields(self).iter().try_for_each(|(name, value)| writeln!(out, "  {name:<10}  {value}"))
    }

    fn json(&self) -> ImageJson<'_> {
        ImageJson {
            version: VERSION,
            image: &self.image.name,
            environment: self.plan.environment.as_ref(),
            base: &self.plan.base,
            head: &self.plan.head,
            decision: self.image.decision,
            causes: &self.causes,
            dependents: &self.dependents,
            notes: &self.notes,
            key: &self.image.key,
            fields: &self.image.fields,
        }
    }
}

/// The fields of the key that are set, each with its name.
fn fields(view: &ImageView<'_>) -> Vec<(&'static str, String)> {
    // The fields of a record that this version cannot read are shown in JSON alone.
    let Some(fields) = view.image.fields.read() else { return Vec::new() };
    let mut rows = vec![
        ("schema", fields.schema.to_string()),
        ("dockerfile", format!("{} {}", text::name(&view.dockerfile), text::short_hex(&fields.dockerfile))),
    ];
    rows.extend(fields.target.as_ref().map(|target| ("target", text::name(target).into_owned())));
    rows.push(("platforms", fields.platforms.join(", ")));
    rows.extend(fields.network.as_ref().map(|network| ("network", text::name(network).into_owned())));
    let pair = |name: &str, value: &str| format!("{} = {}", text::name(name), text::name(value));
    rows.extend(fields.args.iter().map(|(name, value)| ("argument", pair(name, value))));
    let base = |name: &str, digest: &str| {
        let digest =
            if digest.is_empty() { "by its name alone".to_owned() } else { text::short_digest(digest) };
        format!("{} {digest}", text::name(name))
    };
    rows.extend(fields.bases.iter().map(|(name, digest)| ("base", base(name, digest))));
    let secret = |id: &str, version: &str| {
        if version.is_empty() {
            text::name(id).into_owned()
        } else {
            format!("{} {}", text::name(id), text::name(version))
        }
    };
    rows.extend(fields.secrets.iter().map(|(id, version)| ("secret", secret(id, version))));
    let attested = |name: &str, by: &str| format!("{name} {}", text::name(by)).trim_end().to_owned();
    rows.extend(fields.attestations.iter().map(|(name, by)| ("attestation", attested(name, by))));
    // The key has the digest of a context that is a folder, and the value in build.toml of any other context.
    let context = |id: &str| if is_digest(id) { text::short_hex(id) } else { text::name(id).into_owned() };
    rows.extend(fields.contexts.iter().map(|(name, id)| {
        ("context", format!("{} {}", text::name(name), context(id)).trim_start().to_owned())
    }));
    rows.extend(fields.paths.as_ref().map(|id| ("paths", text::short_hex(id))));
    rows.extend(
        fields.images.iter().map(|(name, key)| {
            ("image", format!("{} {}", text::name(name), text::short_hex(&key.to_string())))
        }),
    );
    rows
}

fn is_digest(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
