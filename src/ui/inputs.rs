//! The view of the files that an image's key covers. Start with [`InputsView`].

use std::io::{self, Write};
use std::sync::Arc;

use bstr::BString;
use dtbuild_content::snapshot::SnapshotEntry;
use dtbuild_content::tree::Kind;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::ImageName;

use super::style::Palette;
use super::text;
use super::view::View;

/// The version of the JSON: it changes when a reader of the last one would be misled.
const VERSION: u32 = 1;

/// The inputs of an image.
pub struct InputsView<'a> {
    /// The image.
    pub image: &'a ImageName,
    /// The source of the files: a commit or the working tree.
    pub files: String,
    /// The contexts, each with the files that the image reads, the main context first.
    pub contexts: Vec<ContextView>,
    /// The files of `paths`, from the repository's root; none where `build.toml` declares no `paths`.
    pub paths: Option<ContextView>,
    /// Notes on inputs that are not exact.
    pub notes: Vec<String>,
}

/// A context, with the files of the context that the image reads.
pub struct ContextView {
    /// The context's name; the main context has none.
    pub name: Option<String>,
    /// The folder of the context.
    pub folder: BString,
    /// True if the image reads the whole context.
    pub whole: bool,
    /// The digest of the files that the image reads, as it enters the key.
    pub digest: String,
    /// The folders, files and links that the image reads.
    pub entries: Arc<[SnapshotEntry]>,
}

/// The inputs of an image as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Inputs")]
pub struct InputsJson<'a> {
    /// The version of this format.
    version: u32,
    image: &'a ImageName,
    /// The source of the files: a commit or the working tree.
    files: &'a str,
    #[serde(flatten)]
    main: Option<ContextJson<'a>>,
    /// The named contexts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contexts: Vec<ContextJson<'a>>,
    /// The bytes of all inputs together.
    bytes: u64,
    inputs: Vec<Input<'a>>,
    /// Notes on inputs that are not exact.
    notes: &'a [String],
}

/// A context, with the files of the context that the image reads.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Context")]
struct ContextJson<'a> {
    /// The context's name; the main context has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// The folder of the context.
    context: String,
    /// True if the image reads the whole context.
    whole: bool,
    /// The digest of the files that the image reads, as it enters the key.
    digest: &'a str,
}

/// A file, a link, a submodule, or a folder in which nothing is left.
#[derive(Serialize, JsonSchema)]
struct Input<'a> {
    /// The path from the repository's root; that of a folder ends with `/`.
    path: String,
    /// The named context that the path is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    /// True if the image's `paths` take the path in, even if a context has it too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    paths: bool,
    /// `file`, `executable`, `link`, `folder` or `submodule`.
    kind: &'static str,
    bytes: u64,
    /// The id of the content; empty for a folder.
    id: String,
    /// The target of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl InputsView<'_> {
    /// The entries that have a content, each with its context.
    fn inputs(&self) -> impl Iterator<Item = (&ContextView, &SnapshotEntry)> {
        let all = self.contexts.iter().chain(&self.paths);
        all.flat_map(|context| context.inputs().map(move |entry| (context, entry)))
    }

    /// True if `context` holds the files of `paths`.
    fn is_paths(&self, context: &ContextView) -> bool {
        self.paths.as_ref().is_some_and(|paths| std::ptr::eq(paths, context))
    }

    fn bytes(&self) -> u64 {
        self.inputs().map(|(_, entry)| entry.size).sum()
    }
}

impl ContextView {
    /// The entries that have a content: all but the folders, and folders in which nothing is left.
    fn inputs(&self) -> impl Iterator<Item = &SnapshotEntry> {
        let next = self.entries.iter().skip(1).map(Some).chain([None]);
        let is_above = |entry: &SnapshotEntry, next: Option<&SnapshotEntry>| {
            let inside = next.and_then(|next| next.path.strip_prefix(entry.path.as_slice()));
            entry.kind == Kind::Folder && inside.is_some_and(|rest| rest.starts_with(b"/"))
        };
        self.entries
            .iter()
            .zip(next)
            .filter(move |(entry, next)| !is_above(entry, *next))
            .map(|(entry, _)| entry)
    }

    /// The path of an entry, from the repository's root.
    fn path(&self, entry: &SnapshotEntry) -> String {
        let path = if self.folder.is_empty() {
            entry.path.to_string()
        } else {
            format!("{}/{}", self.folder, entry.path)
        };
        if entry.kind == Kind::Folder { path + "/" } else { path }
    }

    fn json(&self) -> ContextJson<'_> {
        let (name, context) = (self.name.as_deref(), self.folder.to_string());
        ContextJson { name, context, whole: self.whole, digest: &self.digest }
    }
}

/// The text has a line per file, the notes on inputs that are not exact, and the total.
impl View for InputsView<'_> {
    type Json<'v>
        = InputsJson<'v>
    where
        Self: 'v;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        for context in &self.contexts {
            let all = if context.whole { ", the whole context" } else { "" };
            let heading = match &context.name {
                None => format!("{}: the inputs in {}{all}", self.image, self.files),
                Some(name) => format!("from the context `{}`{all}", text::name(name)),
            };
            writeln!(out, "{}", palette.bold(heading))?;
            context.inputs().try_for_each(|entry| write_input(out, context, entry, palette))?;
        }
        if let Some(paths) = &self.paths {
            writeln!(out, "{}", palette.bold("from `paths`"))?;
            paths.inputs().try_for_each(|entry| write_input(out, paths, entry, palette))?;
        }
        for note in &self.notes {
            writeln!(out, "note: {}", text::one_line(note))?;
        }
        let total = format!("{}, {}", text::count(self.inputs().count(), "input"), text::bytes(self.bytes()));
        writeln!(out, "{}", palette.bold(total))
    }

    fn json(&self) -> InputsJson<'_> {
        let inputs = self.inputs().map(|(context, entry)| Input {
            path: context.path(entry),
            context: context.name.as_deref(),
            paths: self.is_paths(context),
            kind: kind(entry.kind),
            bytes: entry.size,
            id: if entry.kind == Kind::Folder { String::new() } else { entry.id.to_string() },
            link: entry.link.as_ref().map(ToString::to_string),
        });
        InputsJson {
            version: VERSION,
            image: self.image,
            files: &self.files,
            main: self.contexts.first().map(ContextView::json),
            contexts: self.contexts.iter().skip(1).map(ContextView::json).collect(),
            bytes: self.bytes(),
            inputs: inputs.collect(),
            notes: &self.notes,
        }
    }
}

fn write_input(
    out: &mut dyn Write,
    context: &ContextView,
    entry: &SnapshotEntry,
    palette: Palette,
) -> io::Result<()> {
    let id = if entry.kind == Kind::Folder { String::new() } else { text::short_hex(&entry.id.to_string()) };
    let path = text::name(&context.path(entry)).into_owned();
    let link = entry.link.as_ref().map(|link| format!(" -> {}", text::name(&link.to_string())));
    let link = link.unwrap_or_default();
    let (kind, size) = (kind(entry.kind), text::bytes(entry.size));
    writeln!(out, "  {kind:<10}  {size:>8}  {:<12}  {path}{link}", palette.dim(id))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Executable => "executable",
        Kind::Symlink => "link",
        Kind::Folder => "folder",
        Kind::Submodule => "submodule",
    }
}
