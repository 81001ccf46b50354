//! The files that an image's key covers. Start with [`write_inputs`]; programs read [`write_inputs_json`].

use std::io::{self, Write};
use std::sync::Arc;

use bstr::BString;
use dtbuild_content::snapshot::SnapshotEntry;
use dtbuild_content::tree::Kind;
use serde::Serialize;

use crate::config::ImageName;

use super::style::Palette;
use super::text;

/// The JSON form's version: it changes when a reader of the last one would be misled.
const VERSION: u32 = 1;

/// The inputs of an image.
pub struct InputsView<'a> {
    /// Which image.
    pub image: &'a ImageName,
    /// Where the files are: a commit, or the working tree.
    pub files: String,
    /// What is read of each context, the main one first.
    pub contexts: Vec<ContextView>,
    /// What is not exact.
    pub notes: Vec<String>,
}

/// What is read of a context.
pub struct ContextView {
    /// Its name; none for the main one.
    pub name: Option<String>,
    /// Its folder.
    pub folder: BString,
    /// Whether all of it counts.
    pub whole: bool,
    /// The digest of what is read, as it enters the key.
    pub digest: String,
    /// The folders, files and links.
    pub entries: Arc<[SnapshotEntry]>,
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    image: &'a ImageName,
    files: &'a str,
    #[serde(flatten)]
    main: Option<ContextJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contexts: Vec<ContextJson<'a>>,
    bytes: u64,
    inputs: Vec<Input<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct ContextJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    context: String,
    whole: bool,
    digest: &'a str,
}

#[derive(Serialize)]
struct Input<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    kind: &'static str,
    bytes: u64,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl InputsView<'_> {
    /// What has a content, with its context.
    fn inputs(&self) -> impl Iterator<Item = (&ContextView, &SnapshotEntry)> {
        self.contexts.iter().flat_map(|context| context.inputs().map(move |entry| (context, entry)))
    }

    fn bytes(&self) -> u64 {
        self.inputs().map(|(_, entry)| entry.size).sum()
    }
}

impl ContextView {
    /// What has a content: all but the folders, and folders in which nothing is left.
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

    /// A path from the repository's root.
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

/// Writes the inputs for people: a line per file, the total, what is not exact.
pub fn write_inputs(out: &mut impl Write, view: &InputsView<'_>, styled: bool) -> io::Result<()> {
    let palette = Palette::new(styled);
    for context in &view.contexts {
        let all = if context.whole { ", the whole context" } else { "" };
        let heading = match &context.name {
            None => format!("{}: the inputs in {}{all}", view.image, view.files),
            Some(name) => format!("from the context `{}`{all}", text::name(name)),
        };
        writeln!(out, "{}", palette.bold(heading))?;
        context.inputs().try_for_each(|entry| write_input(out, context, entry, palette))?;
    }
    for note in &view.notes {
        writeln!(out, "note: {}", text::one_line(note))?;
    }
    let total = format!("{}, {}", text::count(view.inputs().count(), "input"), text::bytes(view.bytes()));
    writeln!(out, "{}", palette.bold(total))
}

fn write_input(
    out: &mut impl Write,
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

/// Writes the inputs for programs: one JSON object.
pub fn write_inputs_json(out: &mut impl Write, view: &InputsView<'_>) -> io::Result<()> {
    let inputs = view.inputs().map(|(context, entry)| Input {
        path: context.path(entry),
        context: context.name.as_deref(),
        kind: kind(entry.kind),
        bytes: entry.size,
        id: if entry.kind == Kind::Folder { String::new() } else { entry.id.to_string() },
        link: entry.link.as_ref().map(ToString::to_string),
    });
    let json = Json {
        version: VERSION,
        image: view.image,
        files: &view.files,
        main: view.contexts.first().map(ContextView::json),
        contexts: view.contexts.iter().skip(1).map(ContextView::json).collect(),
        bytes: view.bytes(),
        inputs: inputs.collect(),
        notes: &view.notes,
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)
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
