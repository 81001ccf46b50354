//! The inputs of an image in one context: the files that enter the key, and the changed paths among them.
//! Start with [`Inputs`].

use std::collections::BTreeSet;
use std::path::PathBuf;
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

/// The folder of a context, and its name in messages.
pub(crate) struct Place {
    /// The folder's path, from the repository's root.
    pub(crate) folder: BString,
    /// The context's description, for messages.
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
    /// The path of the context's folder, from the repository's root.
    context: BString,
    /// The rules of `.dockerignore`: the files that never get into the context.
    pub(crate) rules: Arc<Rules>,
    /// The path and the text of the ignore file that the rules were read from.
    ignore_file: Option<(BString, Vec<u8>)>,
    ignore: Option<Globs>,
    /// The folders that runs write to, where a folder above them may be there for them alone.
    written: Option<Globs>,
    paths: Option<Globs>,
    dockerfile: BString,
    /// The sources that the Dockerfile reads from the context.
    reads: Reads,
}

/// The selected files of a context, and their digest.
pub(crate) struct Selected {
    /// The files that the Dockerfile reads.
    pub(crate) selection: Selection,
    /// The digest of the files that are read and not ignored.
    pub(crate) digest: ContentId,
}

impl Inputs {
    /// The inputs in the main context. The ignore file is `{dockerfile}.dockerignore`, else the `.dockerignore`
    /// of the context.
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

    /// The inputs in a named context. The ignore file is the `.dockerignore` in the context's folder.
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
        text.extend_from_slice(super::written::rules(&place.folder, written).as_bytes());
        let file =
            ignore_file.as_ref().map_or(FILE_NAME.into(), |(path, _): &(BString, Vec<u8>)| path.clone());
        let rules = Rules::shared(&text).map_err(|error| {
            let IgnoreError { line, pattern, reason } = error;
            let message = format!("{file}:{line}: `{pattern}` is not a valid pattern: {reason}");
            Error::new(Code::ContextInvalid, message)
        })?;
        let (context, dockerfile) = (place.folder.clone(), BString::default());
        let (ignore, written, paths) = (None, super::written::below_others(written)?, None);
        Ok(Self { place, context, rules, ignore_file, ignore, written, paths, dockerfile, reads })
    }

    /// The paths of the context that the Dockerfile reads, as the Dockerfile writes them, sorted.
    pub(crate) fn reads(&self) -> BTreeSet<&str> {
        self.reads.paths()
    }

    /// Finds the files that the Dockerfile reads from the context, and computes their digest.
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

    /// The files of the context that are sent to a build: the files of `selected`, or all files where nothing
    /// is selected. `selected` has the digest that the key was computed with.
    ///
    /// # Errors
    /// Fails when the selected files on the disk do not have that digest any more.
    pub(crate) fn sent(
        &self,
        repository: &Repository,
        files: Files,
        selected: Option<(&Selection, &str)>,
    ) -> Result<Snapshot> {
        let folder = self.folder(repository, files)?;
        let reads = |path: &BStr| selected.is_none_or(|(selection, _)| selection.contains(path));
        let sent = folder.snapshot_reading(&self.in_context(), reads)?;
        // The files of a commit cannot change.
        if let (Files::Disk, Some((_, digest))) = (files, selected) {
            let now = folder.digest(&self.filter(&self.found(&folder)?))?.to_string();
            if now != digest {
                return Err(self.changed());
            }
        }
        Ok(sent)
    }

    /// The error for files that are not the key's files any more.
    fn changed(&self) -> Error {
        let message = format!("{}, `{}`, changed while it was being built", self.place.what, self.context);
        Error::new(Code::ContextChanged, message).hint("build again when nothing writes to its files")
    }

    /// The path of the context's folder, from the repository's root.
    pub(crate) fn folder_path(&self) -> &BStr {
        self.context.as_bstr()
    }

    /// The files that the Dockerfile reads from the context, before anything is ignored. Fails if a required
    /// file is missing or ignored.
    fn selection(&self, folder: &Folder<'_>, files: Files) -> Result<Selection> {
        let selection = folder.select(&self.reads.sources())?;
        self.check(&selection, files)?;
        Ok(self.widened(selection))
    }

    /// The files that the Dockerfile reads from the context, without a check for missing files.
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
        Both(self.in_context(), Both(self.ignore.as_ref().map(ignored), selection))
    }

    /// The filter of the files that are in the context.
    fn in_context(&self) -> impl Identified + '_ {
        let written = |globs: &Globs| GlobFilter::excluding(globs.clone(), self.context.clone());
        Both(&*self.rules, self.written.as_ref().map(written))
    }

    fn folder<'a>(&self, repository: &'a Repository, files: Files) -> Result<Folder<'a>> {
        files.folder(repository, self.context.as_bstr())?.ok_or_else(|| no_folder(files, &self.place).into())
    }

    /// Checks that the files that the Dockerfile names exist and are not ignored: without them a build would
    /// fail.
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

    /// The digest of the files that match `paths`; none where no `paths` are declared.
    pub(crate) fn paths_digest(&self, repository: &Repository, files: Files) -> Result<Option<ContentId>> {
        let Some(filter) = self.paths_filter() else { return Ok(None) };
        files.digest(repository, BStr::new(""), &filter)
    }

    /// The files that match `paths`; none where no `paths` are declared.
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

    /// True if the ignore file has the same text in `files`.
    pub(crate) fn has_rules_of(&self, repository: &Repository, files: Files) -> Result<bool> {
        let Some((path, text)) = &self.ignore_file else { return Ok(true) };
        Ok(files.read(repository, path.as_bstr())?.as_ref() == Some(text))
    }

    /// Adds the ignore file's path and text to a question.
    pub(crate) fn identify_rules(&self, asking: &mut Asking) {
        let (path, text) = self.ignore_file.clone().unwrap_or_default();
        asking.on_number(usize::from(self.ignore_file.is_some())).on(&path).on(&text);
    }

    /// The changed paths that lie in places where inputs can be. `changes` are sorted.
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

    /// The readers that make a path an input, or the reason why the path is none. The path need not exist.
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

    /// True if the path is an input: if it has [`readers`](Self::readers).
    pub(crate) fn is_input(&self, selection: &Selection, path: &BStr) -> bool {
        let matches = |globs: &Option<Globs>| globs.as_ref().is_some_and(|globs| globs.matches(path));
        let is_read = |inside: &BStr| selection.contains(inside) && !self.rules.matches(inside);
        path == self.dockerfile
            || self.ignore_file.as_ref().is_some_and(|(file, _)| path == file)
            || (!matches(&self.ignore) && (matches(&self.paths) || self.inside(path).is_some_and(is_read)))
    }

    /// The remarks on sources whose digest is not exact or covers more than they read.
    pub(crate) fn notes(&self, selection: &Selection) -> Vec<String> {
        self.reads.notes(selection)
    }

    /// The path from the context's root; none where the path is outside of the context.
    fn inside<'a>(&self, path: &'a BStr) -> Option<&'a BStr> {
        if self.context.is_empty() {
            return Some(path);
        }
        let rest = path.strip_prefix(self.context.as_slice())?;
        rest.strip_prefix(b"/").map(BStr::new)
    }
}

/// The globs of a declaration, if there is one.
fn globs(declared: Option<&DeclaredGlobs>) -> Option<Globs> {
    declared.map(|declared| declared.globs.clone())
}

/// The error for a main context that does not exist.
pub(crate) fn no_context(files: Files, image: &Image) -> ConfigError {
    no_folder(files, &Place::main(image))
}

/// The error for a context's folder that does not exist.
fn no_folder(files: Files, place: &Place) -> ConfigError {
    let message = format!("{}, `{}`, is not a folder of {files}", place.what, place.folder);
    ConfigError::on_line(FILE_NAME, place.line, message)
        .hint("paths are from the repository's root; is the folder committed?")
}
