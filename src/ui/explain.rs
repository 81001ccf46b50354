//! Why an image is built, and which images read a file. Start with [`write_image`] and [`write_path`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use dtbuild_content::key::{ImageKey, SharedFields};
use serde::Serialize;

use crate::config::{EnvironmentName, ImageName};
use crate::plan::{Base, Decision, Head, Plan, PlannedImage, Reader, Reason, Unread};

use super::plan::heading;
use super::reason::words;
use super::style::Palette;
use super::text;

/// The JSON forms' version: it changes when a reader of the last one would be misled.
const VERSION: u32 = 1;

/// A reason, with what reads the path that changed.
#[derive(Serialize)]
pub struct Cause {
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
    /// What reads the path; empty for reasons that are no paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_by: Vec<Reader>,
}

/// Why an image is built, reused or kept.
pub struct ImageView<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The image in it.
    pub image: &'a PlannedImage,
    /// Its Dockerfile.
    pub dockerfile: String,
    /// Why.
    pub causes: Vec<Cause>,
    /// The images that are built from it.
    pub dependents: Vec<ImageName>,
    /// Where its inputs are not exact, or count as a whole.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct ImageJson<'a> {
    version: u32,
    image: &'a ImageName,
    environment: Option<&'a EnvironmentName>,
    base: &'a Base,
    head: &'a Head,
    decision: Decision,
    causes: &'a [Cause],
    dependents: &'a [ImageName],
    notes: &'a [String],
    key: &'a ImageKey,
    fields: &'a SharedFields,
}

/// Writes the explanation of an image for people.
pub fn write_image(out: &mut impl Write, view: &ImageView<'_>, styled: bool) -> io::Result<()> {
    let palette = Palette::new(styled);
    let decision = match view.image.decision {
        Decision::Build => palette.busy("build"),
        Decision::Reuse => palette.calm("reuse"),
        Decision::Keep => palette.dim("keep"),
    };
    writeln!(out, "{}  {decision}", palette.bold(format!("{}: {}", heading(view.plan), view.image.name)))?;
    for cause in &view.causes {
        writeln!(out, "  {}", words(&cause.reason))?;
        for reader in &cause.read_by {
            writeln!(out, "    {}", palette.dim(reader_words(reader)))?;
        }
    }
    if !view.dependents.is_empty() {
        let names: Vec<&str> = view.dependents.iter().map(ImageName::as_str).collect();
        writeln!(out, "{}", palette.bold("built from it"))?;
        writeln!(out, "  {}", names.join(", "))?;
    }
    if !view.notes.is_empty() {
        writeln!(out, "{}", palette.bold("not exact"))?;
        view.notes.iter().try_for_each(|note| writeln!(out, "  {}", text::one_line(note)))?;
    }
    writeln!(out, "{}", palette.bold(format!("key {}", view.image.key)))?;
    for (name, value) in fields(view) {
        writeln!(out, "  {name:<10}  {value}")?;
    }
    Ok(())
}

/// Writes the explanation of an image for programs: one JSON object.
pub fn write_image_json(out: &mut impl Write, view: &ImageView<'_>) -> io::Result<()> {
    let json = ImageJson {
        version: VERSION,
        image: &view.image.name,
        environment: view.plan.environment.as_ref(),
        base: &view.plan.base,
        head: &view.plan.head,
        decision: view.image.decision,
        causes: &view.causes,
        dependents: &view.dependents,
        notes: &view.notes,
        key: &view.image.key,
        fields: &view.image.fields,
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)
}

/// What the key is made of, what is not set left out.
fn fields(view: &ImageView<'_>) -> Vec<(&'static str, String)> {
    // What a record has in their place is told in JSON alone.
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
    // A folder has a digest; of anything else the key has what build.toml says of it.
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

/// Which images read a file.
pub struct PathView {
    /// The file, from the repository's root.
    pub path: String,
    /// Where it was looked for: a commit, or the working tree.
    pub files: String,
    /// Whether it is there.
    pub exists: bool,
    /// What reads it, or why nothing does, per image.
    pub images: BTreeMap<ImageName, Result<Vec<Reader>, Unread>>,
}

#[derive(Serialize)]
struct PathJson<'a> {
    version: u32,
    path: &'a str,
    files: &'a str,
    exists: bool,
    images: BTreeMap<&'a ImageName, UseJson<'a>>,
}

#[derive(Serialize)]
struct UseJson<'a> {
    input: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_by: Option<&'a [Reader]>,
    #[serde(flatten)]
    unread: Option<&'a Unread>,
}

impl<'a> UseJson<'a> {
    fn new(used: &'a Result<Vec<Reader>, Unread>) -> Self {
        Self { input: used.is_ok(), read_by: used.as_deref().ok(), unread: used.as_ref().err() }
    }
}

/// Writes for people which images read a file.
pub fn write_path(out: &mut impl Write, view: &PathView, styled: bool) -> io::Result<()> {
    let palette = Palette::new(styled);
    let there = if view.exists { "" } else { ", where it is not" };
    writeln!(out, "{}", palette.bold(format!("{} in {}{there}", text::name(&view.path), view.files)))?;
    let width = view.images.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
    for (name, used) in &view.images {
        match used {
            Ok(readers) => {
                let words: Vec<String> = readers.iter().map(reader_words).collect();
                let indent = format!("\n{:1$}", "", width + 14);
                writeln!(out, "  {name:<width$}  {}     {}", palette.busy("input"), words.join(&indent))?;
            }
            Err(unread) => {
                writeln!(out, "  {name:<width$}  {}  {}", palette.dim("no input"), unread_words(unread))?;
            }
        }
    }
    let count = view.images.values().filter(|used| used.is_ok()).count();
    writeln!(out, "{}", palette.bold(format!("an input of {}", text::count(count, "image"))))
}

/// Writes for programs which images read a file: one JSON object.
pub fn write_path_json(out: &mut impl Write, view: &PathView) -> io::Result<()> {
    let images = view.images.iter().map(|(name, result)| (name, UseJson::new(result)));
    let json = PathJson {
        version: VERSION,
        path: &view.path,
        files: &view.files,
        exists: view.exists,
        images: images.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)
}

fn is_digest(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn reader_words(reader: &Reader) -> String {
    match reader {
        Reader::Instruction { file, line, instruction } => {
            format!("{}:{line}  {}", text::name(file), text::one_line(instruction))
        }
        Reader::Dockerfile => "its Dockerfile".to_owned(),
        Reader::IgnoreFile => "says what of its context is ignored".to_owned(),
        Reader::Paths => "`paths` in build.toml".to_owned(),
        Reader::Context { name: None } => "its whole context counts".to_owned(),
        Reader::Context { name: Some(name) } => {
            format!("its whole context `{}` counts", text::name(name))
        }
    }
}

fn unread_words(unread: &Unread) -> String {
    match unread {
        Unread::Outside { context } => format!("outside of its context `{}`", text::name(context)),
        Unread::Ignored { file, line } => {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("ignored by {}{line}", text::name(file))
        }
        Unread::Declared => "`ignore` in build.toml".to_owned(),
        Unread::NotCopied => "nothing copies or mounts it".to_owned(),
    }
}
