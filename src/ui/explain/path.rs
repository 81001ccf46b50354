//! The view of a file: the images that have the file as an input, and the reasons why the other images do not. Start
//! with [`PathView`].

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
    /// The path of the file, from the repository's root.
    pub path: String,
    /// The source of the files that were searched: a commit or the working tree.
    pub files: String,
    /// True if the file exists.
    pub exists: bool,
    /// The path of a file that may be meant, if the file does not exist.
    pub meant: Option<String>,
    /// The readers of the file per image, or the reason why the image does not read the file.
    pub images: BTreeMap<ImageName, Result<Vec<Reader>, Unread>>,
}

/// The images that read a file, as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PathExplanation")]
pub struct PathJson<'a> {
    /// The version of this format.
    version: u32,
    /// The path of the file, from the repository's root.
    path: &'a str,
    /// The source of the files that were searched: a commit or the working tree.
    files: &'a str,
    /// True if the file exists.
    exists: bool,
    /// The path of a file that may be meant, if the file does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    meant: Option<&'a str>,
    images: BTreeMap<&'a ImageName, UseJson<'a>>,
}

/// The readers of the file in one image, or the reason why the image does not read the file.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Use")]
struct UseJson<'a> {
    /// True if the file is an input of the image.
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

/// The text has a line per image that reads the file, with the file's readers in the image, and the number of the
/// other images by the reason why they do not read the file.
impl View for PathView {
    type Json<'v> = PathJson<'v>;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        let there = if self.exists { "" } else { ", where it is not" };
        let heading = format!("{} in {}{there}", text::name(&self.path), self.files);
        writeln!(out, "{}", palette.bold(heading))?;
        if let Some(meant) = &self.meant {
            writeln!(out, "did you mean `{}`?", text::name(meant))?;
        }
        let read = self.images.iter().filter_map(|(name, used)| Some((name, used.as_ref().ok()?)));
        let width = read.clone().map(|(name, _)| name.as_str().len()).max().unwrap_or_default();
        for (name, readers) in read {
            let words: Vec<String> = readers.iter().map(reader_words).collect();
            let indent = format!("\n{:1$}", "", width + 4);
            writeln!(out, "  {}  {}", palette.busy(format_args!("{name:<width$}")), words.join(&indent))?;
        }
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for unread in self.images.values().filter_map(|used| used.as_ref().err()) {
            *others.entry(unread_words(unread)).or_default() += 1;
        }
        for (why, count) in others {
            let line = format!("no input of {}: {why}", text::count(count, "image"));
            writeln!(out, "  {}", palette.dim(line))?;
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
            meant: self.meant.as_deref(),
            images: images.collect(),
        }
    }
}

fn unread_words(unread: &Unread) -> String {
    match unread {
        Unread::Outside { .. } => "outside of the context".to_owned(),
        Unread::Ignored { file, line } => {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("ignored by {}{line}", text::name(file))
        }
        Unread::Declared => "`ignore` in build.toml".to_owned(),
        Unread::NotCopied => "nothing copies or mounts it".to_owned(),
    }
}
