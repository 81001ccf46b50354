//! The inputs of an image: which files enter its key, and which changed paths are among them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::globs::{GlobFilter, Globs};
use dtbuild_content::ignore::{IgnoreError, Rules};
use dtbuild_content::memo::Asking;
use dtbuild_content::path::join;
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::sources::Selection;
use dtbuild_content::tree::{Both, ContentId, Identified};

use super::reads::Reads;
use crate::changed::{ChangedPath, below, of_path};
use crate::config::{ConfigError, DeclaredGlobs, FILE_NAME, Image};
use crate::error::{Code, Error, Result};
use crate::git::Repository;
use crate::plan::{Reader, Unread};
use crate::workspace::{Files, Folder};

/// Where a context is.
pub(crate) struct Place {
    /// Its folder, from the repository's root.
    pub(crate) folder: BString,
    /// What it is, for messages.
    pub(crate) what: String,
    /// The line of `build.toml` that names the folder.
    pub(crate) line: usize,
}

impl Place {
    /// The place of an image's main context.
    fn main(image: &Image) -> Self {
        let what = format!("the context of `{}`", image.name);
        Self { folder: image.context.clone(), what, line: image.context_line }
    }
}

/// The part of a context that can alter an image.
pub(crate) struct Inputs {
    place: Place,
    /// The context's folder.
    context: BString,
    /// What `.dockerignore` keeps out of the context, whatever it is used for.
    pub(crate) rules: Arc<Rules>,
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
    /// Reads the `.dockerignore` of the main context: `{dockerfile}.dockerignore`, else the context's own.
    pub(crate) fn read(
        repository: &Repository,
        files: Files,
        image: &Image,
        written: &BTreeSet<PathBuf>,
        reads: Reads,
    ) -> Result<Self> {
        let of_dockerfile = BString::from([image.dockerfile.as_slice(), b".dockerignore"].concat());
        let of_context = join(image.context.as_bstr(), ".dockerignore".into());
        let place = Place::main(image);
        let ignore_files = [of_dockerfile, of_context];
        let this = Self::over(repository, files, place, (&ignore_files, written), reads)?;
        let (ignore, paths) = (globs(image.ignore.as_ref()), globs(image.paths.as_ref()));
        Ok(Self { ignore, paths, dockerfile: image.dockerfile.clone(), ..this })
    }

    /// Reads the `.dockerignore` of a named context: the one in its folder.
    pub(crate) fn of_context(
        repository: &Repository,
        files: Files,
        image: &Image,
        place: Place,
        written: &BTreeSet<PathBuf>,
        reads: Reads,
    ) -> Result<Self> {
        let ignore_files = [join(place.folder.as_bstr(), ".dockerignore".into())];
        let this = Self::over(repository, files, place, (&ignore_files, written), reads)?;
        Ok(Self { ignore: globs(image.ignore.as_ref()), ..this })
    }

    fn over(
        repository: &Repository,
        files: Files,
        place: Place,
        (ignore_files, written): (&[BString], &BTreeSet<PathBuf>),
        reads: Reads,
    ) -> Result<Self> {
        let (mut text, mut ignore_file) = (Vec::new(), None);
        for path in ignore_files.iter().cloned() {
            if let Some(found) = files.read(repository, path.as_bstr())? {
                (text, ignore_file) = (found.clone(), Some((path, found)));
                break;
            }
        }
        text.extend_from_slice(written_rules(&place.folder, written).as_bytes());
        let file =
            ignore_file.as_ref().map_or(FILE_NAME.into(), |(path, _): &(BString, Vec<u8>)| path.clone());
        let rules = Rules::shared(&text).map_err(|error| {
            let IgnoreError { line, pattern, reason } = error;
            let message = format!("{file}:{line}: `{pattern}` is not a valid pattern: {reason}");
            Error::new(Code::ContextInvalid, message)
        })?;
        let (context, dockerfile) = (place.folder.clone(), BString::default());
        Ok(Self { place, context, rules, ignore_file, ignore: None, paths: None, dockerfile, reads })
    }

    /// The paths of the context that the Dockerfile reads, as it writes them, sorted.
    pub(crate) fn reads(&self) -> BTreeSet<&str> {
        self.reads.paths()
    }

    /// Finds what the Dockerfile reads of the context, and identifies it.
    pub(crate) fn select(&self, repository: &Repository, files: Files) -> Result<Selected> {
        let folder = self.folder(repository, files)?;
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
    ) -> Result<Snapshot> {
        self.folder(repository, files)?.snapshot(&self.filter(selection))
    }

    /// The context as a build is sent it that reads a selection, which had a digest when the key was taken; all of it
    /// where none is given.
    ///
    /// # Errors
    /// When what is read is not what it was then.
    pub(crate) fn sent(
        &self,
        repository: &Repository,
        files: Files,
        selected: Option<(&Selection, &str)>,
    ) -> Result<Snapshot> {
        let folder = self.folder(repository, files)?;
        let reads = |path: &BStr| selected.is_none_or(|(selection, _)| selection.contains(path));
        let sent = folder.snapshot_reading(&*self.rules, reads)?;
        // A commit stays what it is.
        if let (Files::Disk, Some((_, digest))) = (files, selected) {
            let now = folder.digest(&self.filter(&self.found(&folder)?))?.to_string();
            if now != digest {
                return Err(self.changed());
            }
        }
        Ok(sent)
    }

    /// The error for files that are not those of the key any more.
    fn changed(&self) -> Error {
        let message = format!("{}, `{}`, changed while it was being built", self.place.what, self.context);
        Error::new(Code::ContextChanged, message).hint("build again when nothing writes to its files")
    }

    /// The context's folder, from the repository's root.
    pub(crate) fn folder_path(&self) -> &BStr {
        self.context.as_bstr()
    }

    /// What the Dockerfile reads of the context, before anything is ignored.
    fn selection(&self, folder: &Folder<'_>, files: Files) -> Result<Selection> {
        let selection = folder.select(&self.reads.sources())?;
        self.check(&selection, files)?;
        Ok(self.widened(selection))
    }

    /// The same, whatever is missing.
    fn found(&self, folder: &Folder<'_>) -> Result<Selection> {
        Ok(self.widened(folder.select(&self.reads.sources())?))
    }

    fn widened(&self, mut selection: Selection) -> Selection {
        if self.reads.whole {
            selection.widen();
        }
        selection
    }

    fn filter<'a>(&'a self, selection: &'a Selection) -> impl Identified + 'a {
        let ignored = |globs: &Globs| GlobFilter::excluding(globs.clone(), self.context.clone());
        Both(&*self.rules, Both(self.ignore.as_ref().map(ignored), selection))
    }

    fn folder<'a>(&self, repository: &'a Repository, files: Files) -> Result<Folder<'a>> {
        files.folder(repository, self.context.as_bstr())?.ok_or_else(|| no_folder(files, &self.place).into())
    }

    /// Checks that what the Dockerfile names is there: a build would fail.
    fn check(&self, selection: &Selection, files: Files) -> Result<()> {
        if !self.reads.certain {
            return Ok(());
        }
        let context = if self.context.is_empty() { ".".into() } else { self.context.clone() };
        if let Some(source) = selection.missing().find_map(|index| self.reads.required(index)) {
            let at = self.reads.place(source);
            if source.path.split('/').any(|name| name == ".git") {
                let message = format!("{at}: `.git` is a repository, which is never sent to a build");
                let hint = "give the build what it needs of it as an argument (`args`), or write that to a file before the \
                            build and set `source = \"worktree\"`";
                return Err(Error::new(Code::ContextInvalid, message).hint(hint));
            }
            let message = format!("{at}: not in the context `{context}` of {files}");
            let hint = match files {
                Files::Commit(_) => {
                    "sources are from the context's root; is it committed? Git keeps no empty folders"
                }
                Files::Disk => "sources are from the context's root; empty folders do not count",
            };
            return Err(Error::new(Code::ContextInvalid, message).hint(hint));
        }
        let Some((file, text)) = &self.ignore_file else { return Ok(()) };
        for (index, mut paths) in selection.plain() {
            let Some(path) = paths.find(|path| self.rules.takes_all(path)) else { continue };
            let Some(source) = self.reads.required(index) else { continue };
            let line = self.rules.line(text, path).map(|line| format!(":{line}")).unwrap_or_default();
            let message = format!("{}: `{path}` is excluded by {file}{line}", self.reads.place(source));
            let hint = format!("add `!{path}` to {file}, or do not copy it");
            return Err(Error::new(Code::ContextInvalid, message).hint(hint));
        }
        Ok(())
    }

    /// The digest of the declared inputs besides the context; none when none are declared.
    pub(crate) fn paths_digest(&self, repository: &Repository, files: Files) -> Result<Option<ContentId>> {
        let Some(filter) = self.paths_filter() else { return Ok(None) };
        files.digest(repository, BStr::new(""), &filter)
    }

    /// The files of the declared inputs besides the context; none when none are declared.
    pub(crate) fn paths_snapshot(&self, repository: &Repository, files: Files) -> Result<Option<Snapshot>> {
        let Some(filter) = self.paths_filter() else { return Ok(None) };
        let root = files.folder(repository, BStr::new(""))?;
        root.map(|root| root.snapshot(&filter)).transpose()
    }

    fn paths_filter(&self) -> Option<impl Identified> {
        let included = GlobFilter::including(self.paths.clone()?, "");
        let ignored = self.ignore.as_ref().map(|globs| GlobFilter::excluding(globs.clone(), ""));
        Some(Both(included, ignored))
    }

    /// Whether the ignore file is the same in `files`.
    pub(crate) fn has_rules_of(&self, repository: &Repository, files: Files) -> Result<bool> {
        let Some((path, text)) = &self.ignore_file else { return Ok(true) };
        Ok(files.read(repository, path.as_bstr())?.as_ref() == Some(text))
    }

    /// Adds the ignore file to what an answer depends on.
    pub(crate) fn identify_rules(&self, asking: &mut Asking) {
        let (path, text) = self.ignore_file.clone().unwrap_or_default();
        asking.on_number(usize::from(self.ignore_file.is_some())).on(&path).on(&text);
    }

    /// Those of the changed paths, which are sorted, that lie where inputs can be.
    pub(crate) fn nearby<'c>(&self, changes: &'c [ChangedPath]) -> Vec<&'c ChangedPath> {
        if self.paths.is_some() {
            return changes.iter().collect();
        }
        let mut nearby: Vec<&ChangedPath> = below(changes, self.context.as_bstr()).iter().collect();
        let files = [Some(&self.dockerfile), self.ignore_file.as_ref().map(|(path, _)| path)];
        let outside = files.into_iter().flatten().filter(|path| self.inside(path.as_bstr()).is_none());
        nearby.extend(outside.filter_map(|path| of_path(changes, path.as_bstr())));
        nearby
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

    /// Whether anything makes a path an input: whether it has [`readers`](Self::readers).
    pub(crate) fn is_input(&self, selection: &Selection, path: &BStr) -> bool {
        let matches = |globs: &Option<Globs>| globs.as_ref().is_some_and(|globs| globs.matches(path));
        let is_read = |inside: &BStr| selection.contains(inside) && !self.rules.matches(inside);
        path == self.dockerfile
            || self.ignore_file.as_ref().is_some_and(|(file, _)| path == file)
            || (!matches(&self.ignore) && (matches(&self.paths) || self.inside(path).is_some_and(is_read)))
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

/// The globs that were declared, if any were.
fn globs(declared: Option<&DeclaredGlobs>) -> Option<Globs> {
    declared.map(|declared| declared.globs.clone())
}

/// The lines that leave what runs write out of a context that holds it: the working tree would never have the key of its
/// commit. Empty where there is nothing to leave out.
fn written_rules(context: &BString, written: &BTreeSet<PathBuf>) -> String {
    // The folder above the default ones is dtbuild's as well, and would stay as an empty folder.
    let own = Path::new(".dtbuild");
    let folders = written.iter().map(|folder| if folder.starts_with(own) { own } else { folder });
    let inside = folders.filter_map(|folder| folder.strip_prefix(context.to_string()).ok());
    let mut lines = String::new();
    for folder in inside.filter(|folder| !folder.as_os_str().is_empty()).collect::<BTreeSet<_>>() {
        lines.push_str("\n/");
        for character in folder.to_string_lossy().chars() {
            if matches!(character, '*' | '?' | '[' | '\\') {
                lines.push('\\');
            }
            lines.push(character);
        }
        lines.push('\n');
    }
    lines
}

/// What is told when there is no such main context.
pub(crate) fn no_context(files: Files, image: &Image) -> ConfigError {
    no_folder(files, &Place::main(image))
}

/// What is told when there is no such folder.
fn no_folder(files: Files, place: &Place) -> ConfigError {
    let message = format!("{}, `{}`, is not a folder of {files}", place.what, place.folder);
    ConfigError::on_line(FILE_NAME, place.line, message)
        .hint("paths are from the repository's root; is the folder committed?")
}
