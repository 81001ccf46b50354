//! The lines of an ignore file, and the cleaning of paths. Start with [`read`].
//!
//! After `ignorefile.ReadAll` and `patternmatcher.New` of `github.com/moby/patternmatcher`, and
//! Go's `filepath.Clean`.

use bstr::{BString, ByteSlice};

use super::{IgnoreError, Reason};

/// The length of the longest line, in bytes: Go's `bufio.Scanner` gives up on a line that does not fit its 64
/// KiB with the line's end.
const LONGEST: usize = 64 * 1024 - 1;

/// One pattern of an ignore file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The line's number, from 1.
    pub(super) number: usize,
    /// True if the line has a `!`: the paths that the pattern matches are included again.
    pub(super) exception: bool,
    /// The cleaned pattern, without the `!`; never empty.
    pub(super) pattern: BString,
}

/// The patterns of an ignore file, in its order.
pub(super) fn read(text: &[u8]) -> Result<Vec<Line>, IgnoreError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut lines = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let error = |reason| IgnoreError::new(number, line, reason);
        if line.len() > LONGEST {
            return Err(error(Reason::TooLong));
        }
        // A comment is recognised before the line is trimmed: `#` counts in the first column only.
        if line.starts_with(b"#") {
            continue;
        }
        let line = line.trim();
        let (exception, pattern) = match line.strip_prefix(b"!") {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        if pattern.is_empty() && !exception {
            continue;
        }
        let mut pattern = if pattern.is_empty() { BString::default() } else { clean(pattern) };
        if pattern.len() > 1 && pattern.starts_with(b"/") {
            pattern.remove(0);
        }
        // moby trims and cleans the rest once more when it compiles the pattern, where a second `!` counts.
        lines.extend(compiled_form(exception, &pattern, number).map_err(error)?);
    }
    Ok(lines)
}

/// The line that moby's matcher makes of a pattern that its reader has cleaned.
fn compiled_form(exception: bool, pattern: &[u8], number: usize) -> Result<Option<Line>, Reason> {
    let mut whole = if exception { BString::from("!") } else { BString::default() };
    whole.extend_from_slice(pattern);
    let whole = whole.trim();
    if whole.is_empty() {
        return Ok(None);
    }
    let whole = clean(whole);
    Ok(Some(match whole.strip_prefix(b"!") {
        Some([]) => return Err(Reason::NothingToExcept),
        Some(pattern) => Line { number, exception: true, pattern: pattern.into() },
        None => Line { number, exception: false, pattern: whole },
    }))
}

/// The shortest path that is equal to `path`: no `.`, no inner `..`, no doubled or trailing slashes.
pub(super) fn clean(path: &[u8]) -> BString {
    let rooted = path.starts_with(b"/");
    let mut components: Vec<&[u8]> = Vec::new();
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => match components.last() {
                Some(&last) if last != b".." => {
                    components.pop();
                }
                _ if rooted => {}
                _ => components.push(component),
            },
            _ => components.push(component),
        }
    }
    let joined = bstr::join("/", components);
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &*joined].concat().into(),
        (false, true) => ".".into(),
        (false, false) => joined.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &[u8]) -> Vec<String> {
        let show = |line: Line| {
            format!("{}{}{}", line.number, if line.exception { " !" } else { " " }, line.pattern)
        };
        read(text).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn paths_are_cleaned() {
        for (path, cleaned) in [
            ("", "."),
            (".", "."),
            ("./a", "a"),
            ("a/", "a"),
            ("a//b", "a/b"),
            ("a/./b", "a/b"),
            ("a/../b", "b"),
            ("a/..", "."),
            ("../a", "../a"),
            ("../../a/..", "../.."),
            ("/", "/"),
            ("//a", "/a"),
            ("/../a", "/a"),
            ("...", "..."),
        ] {
            assert_eq!(clean(path.as_bytes()), cleaned, "{path}");
        }
    }

    #[test]
    fn lines_are_read_as_moby_reads_them() {
        for (text, expected) in [
            ("\u{feff}a\n\u{feff}b", vec!["1 a", "2 \u{feff}b"]),
            ("\u{feff}# comment", vec![]),
            ("# comment\n # none\n#", vec!["2 # none"]),
            ("a\r\n\r\n\tb \u{a0}", vec!["1 a", "3 b"]),
            ("/a\n//a/\n./a\n/", vec!["1 a", "2 a", "3 a", "4 /"]),
            ("!a\n! a\n!/a\n!!a", vec!["1 !a", "2 !a", "3 !a", "4 !!a"]),
            ("/!a", vec!["1 !a"]),
            ("/ a", vec!["1 a"]),
            ("a/../..", vec!["1 .."]),
            ("!a/..", vec!["1 !."]),
            ("!../a\n!../../a", vec!["1 !../a", "2 a"]),
            ("a\\ ", vec!["1 a\\"]),
        ] {
            assert_eq!(patterns(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_to_except_is_an_error() {
        for text in ["!", "a\n ! ", "!/", "/!"] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.reason, Reason::NothingToExcept, "{text:?}");
        }
    }

    #[test]
    fn line_beyond_the_reader_is_an_error() {
        read(&vec![b'a'; LONGEST]).unwrap();
        let error = read(&[b"a\n", &*vec![b'a'; LONGEST + 1]].concat()).unwrap_err();
        assert_eq!((error.line, error.reason), (2, Reason::TooLong));
    }
}
