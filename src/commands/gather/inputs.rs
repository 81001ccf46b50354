//! The inputs of an image: which files enter its key, and which changed paths are among them.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::globs::{GlobFilter, Globs};
use dtbuild_cache::ignore::{IgnoreError, Rules};
use dtbuild_cache::snapshot::Snapshot;
use dtbuild_cache::sources::Selection;
use dtbuild_cache::tree::{Both, ContentId, Identified};

use super::reads::Reads;
use crate::commands::files::{Files, Folder};
use crate::config::{ConfigError, FILE_NAME, Image, ImageName, RecordStore};
use crate::error::{Error, Kind, Result};
use crate::git::Repository;
use crate::plan::{Reader, Unread};

/// What of the repository can alter an image.
pub(crate) struct Inputs {
    /// The context's folder.
    context: BString,
    /// What `.dockerignore` keeps out of the context, whatever it is used for.
    pub(crate) rules: Rc<Rules>,
    /// The file that the rules were read from, and its text.
    ignore_file: Option<(BString, Vec<u8>)>,
    ignore: Option<Globs>,
    paths: Option<Globs>,
    dockerfile: BString,
    /// What the Dockerfile reads of the context.
    reads: Reads,
}

/// What of a context is read, and its digest.
pub(crate) struct Selected {
    /// What is read.
    pub(crate) selection: Selection,
    /// The digest of what is read, and not ignored.
    pub(crate) digest: ContentId,
}

impl Inputs {
    /// Reads the image's `.dockerignore`: `{dockerfile}.dockerignore`, else the context's own.
    pub(crate) fn read(
        repository: &Repository,
        files: Files,
        image: &Image,
        records: &RecordStore,
        reads: Reads,
    ) -> Result<Self> {
        let of_dockerfile = BString::from([image.dockerfile.as_slice(), b".dockerignore"].concat());
        let of_context = join(&image.context, ".dockerignore");
        let (mut text, mut ignore_file) = (Vec::new(), None);
        for path in [of_dockerfile, of_context] {
            if let Some(found) = files.read(repository, path.as_bstr())? {
                (text, ignore_file) = (found.clone(), Some((path, found)));
                break;
            }
        }
        text.extend_from_slice(records_rule(&image.context, records).as_bytes());
        let place =
            ignore_file.as_ref().map_or(FILE_NAME.into(), |(path, _): &(BString, Vec<u8>)| path.clone());
        let rules = Rules::shared(&text).map_err(|error| {
            let IgnoreError { line, pattern, reason } = error;
            let message = format!("{place}:{line}: `{pattern}` is not a valid pattern: {reason}");
            Error::new(Kind::Usage, message)
        })?;
        let (ignore, paths) = (image.ignore.clone(), image.paths.clone());
        let (context, dockerfile) = (image.context.clone(), image.dockerfile.clone());
        Ok(Self { context, rules, ignore_file, ignore, paths, dockerfile, reads })
    }

    /// The paths of the context that the Dockerfile reads, as it writes them, sorted.
    pub(crate) fn reads(&self) -> BTreeSet<&str> {
        self.reads.paths()
    }

    /// Finds what the Dockerfile reads of the context, and identifies it.
    pub(crate) fn select(
        &self,
        repository: &Repository,
        files: Files,
        image: (&ImageName, &Image),
    ) -> Result<Selected> {
        let folder = self.folder(repository, files, image)?;
        let selection = self.selection(&folder, files)?;
        let digest = folder.digest(&self.filter(&selection))?;
        Ok(Selected { selection, digest })
    }

    /// The files of the context that the key covers.
    pub(crate) fn snapshot(
        &self,
        repository: &Repository,
        files: Files,
        selection: &Selection,
        image: (&ImageName, &Image),
    ) -> Result<Snapshot> {
        self.folder(repository, files, image)?.snapshot(&self.filter(selection))
    }

    /// What the Dockerfile reads of the context, before anything is ignored.
    fn selection(&self, folder: &Folder, files: Files) -> Result<Selection> {
        let mut selection = folder.select(&self.reads.sources())?;
        self.check(&selection, files)?;
        if self.reads.whole {
            selection.widen();
        }
        Ok(selection)
    }

    fn filter<'a>(&'a self, selection: &'a Selection) -> impl Identified + 'a {
        let ignored = |globs: &Globs| GlobFilter::excluding(globs.clone(), self.context.clone());
        Both(&*self.rules, Both(self.ignore.as_ref().map(ignored), selection))
    }

    fn folder(&self, repository: &Repository, files: Files, image: (&ImageName, &Image)) -> Result<Folder> {
        files.folder(repository, self.context.as_bstr())?.ok_or_else(|| no_context(files, image).into())
    }

    /// Checks that what the Dockerfile names is there: a build would fail.
    fn check(&self, selection: &Selection, files: Files) -> Result<()> {
        if !self.reads.certain {
            return Ok(());
        }
        let context = if self.context.is_empty() { ".".into() } else { self.context.clone() };
        if let Some(source) = selection.missing().next().and_then(|index| self.reads.source(index)) {
            let at = self.reads.place(source);
            let message = format!("{at}: not in the context `{context}` of {files}");
            let hint = match files {
                Files::Commit(_) => {
                    "sources are from the context's root; is it committed? Git keeps no empty folders"
                }
                Files::Disk => "sources are from the context's root; empty folders do not count",
            };
            return Err(Error::new(Kind::Usage, message).hint(hint));
        }
        let Some((file, text)) = &self.ignore_file else { return Ok(()) };
        for (index, mut paths) in selection.plain() {
            let Some(path) = paths.find(|path| self.rules.takes_all(path)) else { continue };
            let Some(source) = self.reads.source(index) else { continue };
            let line = self.rules.line(text, path).map(|line| format!(":{line}")).unwrap_or_default();
            let message = format!("{}: `{path}` is excluded by {file}{line}", self.reads.place(source));
            let hint = format!("add `!{path}` to {file}, or do not copy it");
            return Err(Error::new(Kind::Usage, message).hint(hint));
        }
        Ok(())
    }

    /// The digest of the declared inputs besides the context; none when none are declared.
    pub(crate) fn paths_digest(&self, repository: &Repository, files: Files) -> Result<Option<ContentId>> {
        let Some(paths) = &self.paths else { return Ok(None) };
        let filter = GlobFilter::including(paths.clone(), "");
        let ignored = self.ignore.as_ref().map(|globs| GlobFilter::excluding(globs.clone(), ""));
        files.digest(repository, BStr::new(""), &Both(&filter, ignored))
    }

    /// Whether a changed path can be a cause of another key.
    pub(crate) fn contains(&self, selection: &Selection, path: &BStr) -> bool {
        self.readers(selection, path).is_ok()
    }

    /// What makes a path an input, or why nothing does. The path need not be there.
    pub(crate) fn readers(
        &self,
        selection: &Selection,
        path: &BStr,
    ) -> std::result::Result<Vec<Reader>, Unread> {
        if path == self.dockerfile {
            return Ok(vec![Reader::Dockerfile]);
        }
        let ignore_file = self.ignore_file.as_ref().filter(|(file, _)| path == file);
        let matches = |globs: &Option<Globs>| globs.as_ref().is_some_and(|globs| globs.matches(path));
        let mut readers: Vec<Reader> = ignore_file.map(|_| Reader::IgnoreFile).into_iter().collect();
        if matches(&self.ignore) {
            return if readers.is_empty() { Err(Unread::Declared) } else { Ok(readers) };
        }
        if matches(&self.paths) {
            readers.push(Reader::Paths);
        }
        let unread = match self.inside(path) {
            None => Unread::Outside { context: self.context.to_string() },
            Some(inside) if self.rules.matches(inside) => {
                let (file, text) = self.ignore_file.clone().unwrap_or_default();
                Unread::Ignored { file: file.to_string(), line: self.rules.line(&text, inside) }
            }
            Some(inside) => {
                readers.extend(self.reads.readers(selection, inside));
                Unread::NotCopied
            }
        };
        if readers.is_empty() { Err(unread) } else { Ok(readers) }
    }

    /// What of the context's digest is not exact, or why more counts than is read.
    pub(crate) fn notes(&self, selection: &Selection) -> Vec<String> {
        self.reads.notes(selection)
    }

    /// The path from the context's root, when it is inside.
    fn inside<'a>(&self, path: &'a BStr) -> Option<&'a BStr> {
        if self.context.is_empty() {
            return Some(path);
        }
        let rest = path.strip_prefix(self.context.as_slice())?;
        rest.strip_prefix(b"/").map(BStr::new)
    }
}

/// The lines that leave dtbuild's own records out of a context that holds them: every run writes them, so the
/// working tree would never have the key of its commit. Empty where there is nothing to leave out.
fn records_rule(context: &BString, records: &RecordStore) -> String {
    let RecordStore::Folder(folder) = records else { return String::new() };
    // The folder above the default one is dtbuild's as well, and would stay as an empty folder.
    let own = Path::new(".dtbuild");
    let folder = if folder.starts_with(own) { own } else { folder };
    let Ok(inside) = folder.strip_prefix(context.to_string()) else { return String::new() };
    let mut line = String::new();
    for character in inside.to_string_lossy().chars() {
        if matches!(character, '*' | '?' | '[' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
    if line.is_empty() { line } else { format!("\n/{line}\n") }
}

/// What is told when there is no such folder.
pub(crate) fn no_context(files: Files, (name, image): (&ImageName, &Image)) -> ConfigError {
    let message = format!("the context of `{name}`, `{}`, is not a folder of {files}", image.context);
    ConfigError::on_line(FILE_NAME, image.context_line, message)
        .hint("paths are from the repository's root; is the folder committed?")
}

/// A path below a folder of the repository; the empty folder is the root.
pub(crate) fn join(folder: &BString, name: &str) -> BString {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}").into() }
}
