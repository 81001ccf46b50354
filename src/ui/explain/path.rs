//! The view of a file: the images that it is an input of, and why it is none of the others. Start with [`PathView`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::ImageName;
use crate::plan::{Reader, Unread};
use crate::ui::style::Palette;
use crate::ui::text;
use crate::ui::view::View;

use super::{VERSION, reader_words};

/// The images that read a file.
pub struct PathView {
    /// The file, from the repository's root.
    pub path: String,
    /// The files among which it was looked for: those of a commit, or of the working tree.
    pub files: String,
    /// The file is there.
    pub exists: bool,
    /// What reads the file, or why nothing does, per image.
    pub images: BTreeMap<ImageName, Result<Vec<Reader>, Unread>>,
}

/// The images that read a file, as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PathExplanation")]
pub struct PathJson<'a> {
    /// The version of this format.
    version: u32,
    /// The file, from the repository's root.
    path: &'a str,
    /// The files among which it was looked for: those of a commit, or of the working tree.
    files: &'a str,
    /// The file is there.
    exists: bool,
    images: BTreeMap<&'a ImageName, UseJson<'a>>,
}

/// What reads the file, or why nothing does.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Use")]
struct UseJson<'a> {
    /// The file is an input of the image.
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

/// As text: a line per image with what reads the file there, or why nothing does.
impl View for PathView {
    type Json<'v> = PathJson<'v>;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        let there = if self.exists { "" } else { ", where it is not" };
        let heading = format!("{} in {}{there}", text::name(&self.path), self.files);
        writeln!(out, "{}", palette.bold(heading))?;
        let width = self.images.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
        for (name, used) in &self.images {
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
        let count = self.images.values().filter(|used| used.is_ok()).count();
        writeln!(out, "{}", palette.bold(format!("an input of {}", text::count(count, "image"))))
    }

    fn json(&self) -> PathJson<'_> {
        let images = self.images.iter().map(|(name, used)| (name, UseJson::new(used)));
        PathJson {
            version: VERSION,
            path: &self.path,
            files: &self.files,
            exists: self.exists,
            images: images.collect(),
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
