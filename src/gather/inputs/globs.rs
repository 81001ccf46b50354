//! Globs of `build.toml` that match nothing, or less than they seem to. Start with [`of_image`].

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::globs::{Globs, is_plain};
use dtbuild_content::memo::Asking;
use dtbuild_content::tree::Kind;

use crate::config::{ContextOrigin, DeclaredGlobs, FILE_NAME, Image};
use crate::error::Result;
use crate::git::Repository;
use crate::workspace::{Files, Folder};

/// The kind of the memo's questions about the first match of a glob.
const MATCH: &str = "dtbuild first match of a glob v1";

/// The remarks on an image's `paths` and `ignore`, each with the glob and its line.
pub(crate) fn of_image(repository: &Repository, files: Files, image: &Image) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    if let Some(paths) = &image.paths {
        let search = Search { repository, files, key: "paths", folders: vec![BStr::new("")] };
        notes.extend(search.notes(paths)?);
    }
    if let Some(ignore) = &image.ignore {
        let named = image.contexts.values().filter_map(|context| match &context.origin {
            ContextOrigin::Folder(folder) => Some(folder.as_bstr()),
            _ => None,
        });
        let mut folders: Vec<&BStr> = [image.context.as_bstr()].into_iter().chain(named).collect();
        // Files of `paths` may lie anywhere in the repository.
        folders.extend(image.paths.as_ref().map(|_| BStr::new("")));
        let search = Search { repository, files, key: "ignore", folders };
        notes.extend(search.notes(ignore)?);
    }
    Ok(notes)
}

/// The remarks on the `paths` of a deployment.
pub(crate) fn of_deployment(
    repository: &Repository,
    files: Files,
    paths: &DeclaredGlobs,
) -> Result<Vec<String>> {
    Search { repository, files, key: "deploy.paths", folders: vec![BStr::new("")] }.notes(paths)
}

/// A search for the files that globs match.
struct Search<'a> {
    repository: &'a Repository,
    files: Files,
    /// The key of `build.toml` that holds the globs.
    key: &'static str,
    /// The folders in which a match counts.
    folders: Vec<&'a BStr>,
}

impl Search<'_> {
    fn notes(&self, globs: &DeclaredGlobs) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        for (glob, line) in globs.iter() {
            if let Some(remark) = self.remark(glob)? {
                notes.push(format!("{FILE_NAME}:{line}: `{glob}` in `{}` {remark}", self.key));
            }
        }
        Ok(notes)
    }

    /// The fault of a glob; none where the glob matches something.
    fn remark(&self, glob: &str) -> Result<Option<String>> {
        let Ok(globs) = Globs::new([glob]) else { return Ok(None) };
        for folder in &self.folders {
            match self.first(&globs, glob, folder)? {
                Some((_, Kind::Symlink)) if is_plain(glob) => {
                    let remark = "names a link: what the link leads to is another path, and does not count";
                    return Ok(Some(remark.to_owned()));
                }
                Some(_) => return Ok(None),
                None => {}
            }
        }
        let why = self.cause(glob)?.map(|why| format!(": {why}")).unwrap_or_default();
        Ok(Some(format!("matches nothing{why}")))
    }

    /// The cause for which a glob matches nothing, where there is one to be seen.
    fn cause(&self, glob: &str) -> Result<Option<String>> {
        if glob.starts_with('!') {
            let instead = if self.key == "paths" { "`ignore` leaves files out" } else { "name what counts" };
            return Ok(Some(format!("a `!` does not negate a glob; {instead}")));
        }
        let kept: Vec<&str> = glob.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let clean = kept.join("/");
        if clean != glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/') {
            return Ok(Some(format!("write it as `{clean}`")));
        }
        let mut above = String::new();
        for component in kept.into_iter().take_while(|component| is_plain(component)) {
            above = if above.is_empty() { component.to_owned() } else { format!("{above}/{component}") };
            if self.is_link(&above)? {
                return Ok(Some(format!("`{above}` is a link; name what it leads to")));
            }
        }
        let Ok(globs) = Globs::of_any_case([glob]) else { return Ok(None) };
        for folder in &self.folders {
            // The text keeps this question apart from the question about the glob in its own case.
            if let Some((path, _)) = self.first(&globs, &format!("any case\n{glob}"), folder)? {
                let path = dtbuild_content::path::join(folder, path.as_bstr());
                return Ok(Some(format!("`{path}` differs from it in upper and lower case")));
            }
        }
        Ok(None)
    }

    /// The first path of a folder that the globs match; the memo keeps the answer if the folder is one of a
    /// commit.
    fn first(&self, globs: &Globs, text: &str, place: &BStr) -> Result<Option<(BString, Kind)>> {
        let Some(folder) = self.files.folder(self.repository, place)? else { return Ok(None) };
        let Some(id) = Folder::id(&folder) else { return folder.first_match(globs, place) };
        let question = Asking::new(MATCH).on(id.as_bytes()).on(place).on(text.as_bytes()).question();
        let memo = self.repository.memo();
        if let Some(answer) = memo.recall(&question) {
            return Ok(answer.split_first().map(|(kind, path)| {
                (path.into(), if *kind == Kind::Symlink.code() { Kind::Symlink } else { Kind::File })
            }));
        }
        let found = folder.first_match(globs, place)?;
        let answer = found.as_ref().map(|(path, kind)| [&[kind.code()], path.as_slice()].concat());
        memo.note(question, answer.unwrap_or_default());
        Ok(found)
    }

    fn is_link(&self, path: &str) -> Result<bool> {
        Ok(match self.files {
            Files::Commit(commit) => {
                let entry = self.repository.entry(commit, BStr::new(path))?;
                matches!(entry, Some((Kind::Symlink, _)))
            }
            Files::Disk => {
                self.repository.root()?.join(path).symlink_metadata().is_ok_and(|found| found.is_symlink())
            }
        })
    }
}
