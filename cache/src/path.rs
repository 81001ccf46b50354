//! The paths of a tree: names joined by `/`, without a `/` at the start; the empty path is the root. Start
//! with [`join`].

use bstr::{BStr, BString};

/// The path of `name` in `folder`.
#[must_use]
pub fn join(folder: &BStr, name: &BStr) -> BString {
    let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
    path.extend_from_slice(folder);
    if !folder.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_root_has_no_slash() {
        assert_eq!(join("".into(), "a".into()), "a");
        assert_eq!(join("a/b".into(), b"c\xff".into()), b"a/b/c\xff"[..]);
    }
}
