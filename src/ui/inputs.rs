//! The files that an image's key covers. Start with [`write_inputs`]; programs read [`write_inputs_json`].

use std::io::{self, Write};

use bstr::BString;
use dtbuild_cache::snapshot::SnapshotEntry;
use dtbuild_cache::tree::Kind;
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
    /// Its context's folder.
    pub context: &'a BString,
    /// Where the files are: a commit, or the working tree.
    pub files: String,
    /// Whether the whole context counts.
    pub whole: bool,
    /// The digest of the inputs, as it enters the key.
    pub digest: String,
    /// The folders, files and links.
    pub entries: &'a [SnapshotEntry],
    /// What is not exact.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    image: &'a ImageName,
    context: String,
    files: &'a str,
    whole: bool,
    digest: &'a str,
    bytes: u64,
    inputs: Vec<Input>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Input {
    path: String,
    kind: &'static str,
    bytes: u64,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl InputsView<'_> {
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

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// A path from the repository's root.
    fn path(&self, entry: &SnapshotEntry) -> String {
        let path = if self.context.is_empty() {
            entry.path.to_string()
        } else {
            format!("{}/{}", self.context, entry.path)
        };
        if entry.kind == Kind::Folder { path + "/" } else { path }
    }
}

/// Writes the inputs for people: a line per file, the total, what is not exact.
pub fn write_inputs(out: &mut impl Write, view: &InputsView<'_>, styled: bool) -> io::Result<()> {
    let palette = Palette::new(styled);
    let all = if view.whole { ", the whole context" } else { "" };
    writeln!(out, "{}", palette.bold(format!("{}: the inputs in {}{all}", view.image, view.files)))?;
    for entry in view.inputs() {
        let id =
            if entry.kind == Kind::Folder { String::new() } else { text::short_hex(&entry.id.to_string()) };
        let path = text::name(&view.path(entry)).into_owned();
        let link = entry.link.as_ref().map(|link| format!(" -> {}", text::name(&link.to_string())));
        let link = link.unwrap_or_default();
        let (kind, size) = (kind(entry.kind), text::bytes(entry.size));
        writeln!(out, "  {kind:<10}  {size:>8}  {:<12}  {path}{link}", palette.dim(id))?;
    }
    for note in &view.notes {
        writeln!(out, "note: {}", text::one_line(note))?;
    }
    let total = format!("{}, {}", text::count(view.inputs().count(), "input"), text::bytes(view.bytes()));
    writeln!(out, "{}", palette.bold(total))
}

/// Writes the inputs for programs: one JSON object.
pub fn write_inputs_json(out: &mut impl Write, view: &InputsView<'_>) -> io::Result<()> {
    let input = |entry: &SnapshotEntry| Input {
        path: view.path(entry),
        kind: kind(entry.kind),
        bytes: entry.size,
        id: if entry.kind == Kind::Folder { String::new() } else { entry.id.to_string() },
        link: entry.link.as_ref().map(ToString::to_string),
    };
    let json = Json {
        version: VERSION,
        image: view.image,
        context: view.context.to_string(),
        files: &view.files,
        whole: view.whole,
        digest: &view.digest,
        bytes: view.bytes(),
        inputs: view.inputs().map(input).collect(),
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
