//! The inputs of an image: which files enter its key, and which changed paths are among them.

use std::path::Path;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::globs::{GlobFilter, Globs};
use dtbuild_cache::ignore::{IgnoreError, Rules};
use dtbuild_cache::tree::{Both, ContentId};

use crate::commands::files::Files;
use crate::config::{ConfigError, FILE_NAME, Image, ImageName, RecordStore};
use crate::error::{Error, Kind, Result};
use crate::git::Repository;

/// What of the repository can alter an image.
pub(crate) struct Inputs {
    /// The context's folder.
    context: BString,
    /// What `.dockerignore` keeps out of the context, whatever it is used for.
    pub(crate) rules: Rules,
    /// The file that the rules were read from.
    ignore_file: Option<BString>,
    ignore: Option<Globs>,
    paths: Option<Globs>,
    dockerfile: BString,
}

impl Inputs {
    /// Reads the image's `.dockerignore`: `{dockerfile}.dockerignore`, else the context's own.
    pub(crate) fn read(
        repository: &Repository,
        files: Files,
        image: &Image,
        records: &RecordStore,
    ) -> Result<Self> {
        let of_dockerfile = BString::from([image.dockerfile.as_slice(), b".dockerignore"].concat());
        let of_context = join(&image.context, ".dockerignore");
        let (mut text, mut ignore_file) = (Vec::new(), None);
        for path in [of_dockerfile, of_context] {
            if let Some(found) = files.read(repository, path.as_bstr())? {
                (text, ignore_file) = (found, Some(path));
                break;
            }
        }
        text.extend_from_slice(records_rule(&image.context, records).as_bytes());
        let place = ignore_file.clone().unwrap_or_else(|| FILE_NAME.into());
        let rules = Rules::parse(&text).map_err(|error| {
            let IgnoreError { line, pattern, reason } = error;
            let message = format!("{place}:{line}: `{pattern}` is not a valid pattern: {reason}");
            Error::new(Kind::Usage, message)
        })?;
        let (ignore, paths) = (image.ignore.clone(), image.paths.clone());
        let (context, dockerfile) = (image.context.clone(), image.dockerfile.clone());
        Ok(Self { context, rules, ignore_file, ignore, paths, dockerfile })
    }

    /// The digest of the context as far as it enters the key.
    pub(crate) fn context_digest(
        &self,
        repository: &Repository,
        files: Files,
        image: (&ImageName, &Image),
    ) -> Result<ContentId> {
        let digest = match &self.ignore {
            None => files.digest(repository, self.context.as_bstr(), &self.rules)?,
            Some(globs) => {
                let ignored = GlobFilter::excluding(globs.clone(), self.context.clone());
                files.digest(repository, self.context.as_bstr(), &Both(&self.rules, &ignored))?
            }
        };
        digest.ok_or_else(|| no_context(files, image).into())
    }

    /// The digest of the declared inputs besides the context; none when none are declared.
    pub(crate) fn paths_digest(&self, repository: &Repository, files: Files) -> Result<Option<ContentId>> {
        let Some(paths) = &self.paths else { return Ok(None) };
        let filter = GlobFilter::including(paths.clone(), "");
        match &self.ignore {
            None => files.digest(repository, BStr::new(""), &filter),
            Some(globs) => {
                let ignored = GlobFilter::excluding(globs.clone(), "");
                files.digest(repository, BStr::new(""), &Both(&filter, &ignored))
            }
        }
    }

    /// Whether a changed path can be a cause of another key.
    pub(crate) fn contains(&self, path: &BStr) -> bool {
        if path == self.dockerfile || self.ignore_file.as_ref().is_some_and(|file| path == file) {
            return true;
        }
        let matches = |globs: &Option<Globs>| globs.as_ref().is_some_and(|globs| globs.matches(path));
        if matches(&self.ignore) {
            return false;
        }
        self.inside(path).is_some_and(|inside| !self.rules.matches(inside)) || matches(&self.paths)
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
