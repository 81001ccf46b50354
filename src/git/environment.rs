//! The environment variables of git that gix does not read. [`command_config`] reads the configuration of `git -c`,
//! [`object_folders`] the folders of objects.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use bstr::{BString, ByteSlice as _};
use dtbuild_content::draft;

/// The path, from a folder of objects, of the file that names further folders of objects.
const ALTERNATES: &str = "info/alternates";

/// The configuration that `git -c KEY=VALUE` hands to the programs that it starts, as `KEY=VALUE`.
///
/// Git quotes it in `GIT_CONFIG_PARAMETERS` for a shell: `'KEY'='VALUE'`, before git 2.31 `'KEY=VALUE'`.
pub(super) fn command_config() -> Vec<BString> {
    env::var_os("GIT_CONFIG_PARAMETERS").map(|text| parameters(text.as_bytes())).unwrap_or_default()
}

fn parameters(text: &[u8]) -> Vec<BString> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start();
    while let Some((mut parameter, after)) = unquoted(rest) {
        rest = after;
        if let Some(after) = rest.strip_prefix(b"=") {
            // A key without a value is true, and stands alone.
            rest = after;
            if let Some((value, after)) = unquoted(rest) {
                parameter.push(b'=');
                parameter.extend_from_slice(&value);
                rest = after;
            }
        }
        parameters.push(parameter);
        rest = rest.trim_start();
    }
    parameters
}

/// The word in single quotes at the start of `text`, and the text after the word.
fn unquoted(text: &[u8]) -> Option<(BString, &[u8])> {
    let (mut word, mut rest) = (BString::default(), text.strip_prefix(b"'")?);
    loop {
        let (inside, after) = rest.split_once_str("'")?;
        word.extend_from_slice(inside);
        // Git puts quotes and exclamation marks of the word outside of the quotes, after a backslash.
        match after {
            [b'\\', escaped @ (b'\'' | b'!'), b'\'', after @ ..] => {
                word.push(*escaped);
                rest = after;
            }
            _ => return Some((word, after)),
        }
    }
}

/// The folders in which git looks for objects instead of `usual`, by `GIT_OBJECT_DIRECTORY` and
/// `GIT_ALTERNATE_OBJECT_DIRECTORIES`. None where neither is set.
///
/// Git sets both variables for hooks that run before a push is accepted: until then, the objects of the push are in a
/// folder of their own.
pub(super) fn object_folders(usual: &Path) -> Option<Vec<PathBuf>> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let (own, others) = (set("GIT_OBJECT_DIRECTORY"), set("GIT_ALTERNATE_OBJECT_DIRECTORIES"));
    if own.is_none() && others.is_none() {
        return None;
    }
    let mut folders = vec![own.map_or_else(|| usual.to_owned(), PathBuf::from)];
    folders.extend(others.iter().flat_map(|others| split(others)));
    // A folder that is gone holds nothing; git passes it by, too.
    let existing = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
    Some(existing.collect())
}

/// The paths of a list with `:` between the paths; a path may be in double quotes.
fn split(list: &OsStr) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut rest = list.as_bytes();
    while !rest.is_empty() {
        let quoted = rest.starts_with(b"\"").then(|| gix::quote::ansi_c::undo(rest.as_bstr()).ok()).flatten();
        let (path, after) = if let Some((path, length)) = quoted {
            (path.into_owned(), &rest[length..])
        } else {
            let end = rest.find_byte(b':').unwrap_or(rest.len());
            (BString::from(&rest[..end]), &rest[end..])
        };
        if !path.is_empty() {
            paths.push(path.to_path_lossy().into_owned());
        }
        rest = after.strip_prefix(b":").unwrap_or(after);
    }
    paths
}

/// The path of a folder of objects that holds no objects itself and refers to `folders`. The folder is made in
/// `place`; an earlier folder there is removed once a folder that it refers to is gone.
pub(super) fn joined(folders: &[PathBuf], place: &Path, hash: gix::hash::Kind) -> io::Result<PathBuf> {
    let lines: Vec<u8> =
        folders.iter().flat_map(|folder| [folder.as_os_str().as_bytes(), b"\n"].concat()).collect();
    let name = gix::objs::compute_hash(hash, gix::objs::Kind::Blob, &lines).map_err(io::Error::other)?;
    let joined = place.join(name.to_string());
    if !joined.exists() {
        for earlier in fs::read_dir(place).into_iter().flatten().flatten() {
            let lines = fs::read(earlier.path().join(ALTERNATES)).unwrap_or_default();
            let is_gone = lines.lines().any(|folder| !folder.to_path_lossy().exists());
            // An earlier folder that cannot be removed does no harm.
            let _ = is_gone.then(|| fs::remove_dir_all(earlier.path()));
        }
    }
    let file = joined.join(ALTERNATES);
    draft::replace(&file, &[&lines])?;
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_git_writes_them() {
        for (text, expected) in [
            ("", &[][..]),
            ("'safe.directory'='*'", &["safe.directory=*"]),
            ("'a.b'='c d'  'e.f'=", &["a.b=c d", "e.f"]),
            ("'a.b=c' 'e.f'", &["a.b=c", "e.f"]),
            (r"'a.b'='it'\''s'\!''", &["a.b=it's!"]),
            ("'a.b'=''", &["a.b="]),
            ("a.b=c", &[]),
        ] {
            assert_eq!(parameters(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn joined_folders_go_with_what_they_refer_to() {
        let place = tempfile::tempdir().unwrap();
        let [objects, first, second] = ["objects", "first", "second"].map(|name| place.path().join(name));
        for folder in [&objects, &first, &second] {
            fs::create_dir(folder).unwrap();
        }
        let kept = place.path().join("kept");
        let join =
            |own: &PathBuf| joined(&[own.clone(), objects.clone()], &kept, gix::hash::Kind::Sha1).unwrap();
        let of_first = join(&first);
        assert_eq!(join(&first), of_first);
        assert_ne!(join(&second), of_first);
        assert!(of_first.exists());
        fs::remove_dir(&first).unwrap();
        fs::remove_dir(&second).unwrap();
        let of_none = join(&objects);
        let left: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [of_none]);
    }

    #[test]
    fn lists_of_folders_may_be_quoted() {
        let paths = |text: &str| split(OsStr::new(text));
        assert_eq!(paths("/a:/b::c"), ["/a", "/b", "c"].map(PathBuf::from));
        assert_eq!(paths(r#""/a:\tb":/c"#), ["/a:\tb", "/c"].map(PathBuf::from));
        assert_eq!(paths(""), Vec::<PathBuf>::new());
    }
}
