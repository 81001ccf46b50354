//! Functions on paths inside a repository. A path is bytes: names joined by `/`, relative to a folder, whose own path
//! is empty.

use bstr::{BStr, BString, ByteSlice as _};
pub(super) use dtbuild_content::path::join;

/// The path of the folder that holds `path`, and the last name of `path`.
pub(super) fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
        None => (BStr::new(""), path),
    }
}

/// The part of `path` below the leading folder whose path ends at the byte `end`.
pub(super) fn rest(path: &BStr, end: usize) -> &BStr {
    path.get(end + 1..).unwrap_or_default().as_bstr()
}

/// The names of `path`, without empty ones and `.`.
pub(super) fn names(path: &BStr) -> impl DoubleEndedIterator<Item = &BStr> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).map(BStr::new)
}

/// The path without `.` and needless slashes.
pub(super) fn clean(path: &BStr) -> BString {
    bstr::join("/", names(path)).into()
}
