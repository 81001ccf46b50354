//! The check that Go's `filepath.Match` accepts a pattern. Start with [`well_formed`].
//!
//! moby asks `filepath.Match(pattern, ".")` and looks at the error alone. That function stops at the
//! first part that does not match the name, so a fault after it goes unnoticed here and the regular
//! expression has the last word: `x[]a]` is a valid rule, `[]a]` is not.

use bstr::ByteSlice;

/// The error for a pattern that is malformed in a place that was looked at.
#[derive(Debug)]
struct Malformed;

/// True if matching the name `.` against `pattern` meets no fault.
pub(super) fn well_formed(pattern: &[u8]) -> bool {
    check(pattern, b".").is_ok()
}

fn check(mut pattern: &[u8], mut name: &[u8]) -> Result<(), Malformed> {
    while !pattern.is_empty() {
        let (star, chunk, rest) = split_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(());
        }
        let fits = |left: &[u8]| left.is_empty() || !rest.is_empty();
        if let Some(left) = match_chunk(chunk, name)?.filter(|left| fits(left)) {
            name = left;
            continue;
        }
        let Some(left) = skip_and_match(star, chunk, name, fits)? else { return Ok(()) };
        name = left;
    }
    Ok(())
}

/// The rest of `name` after a star has taken some of it and `chunk` has matched; none if there is no such
/// match.
fn skip_and_match<'n>(
    star: bool,
    chunk: &[u8],
    name: &'n [u8],
    fits: impl Fn(&[u8]) -> bool,
) -> Result<Option<&'n [u8]>, Malformed> {
    let takeable = if star { name.find_byte(b'/').unwrap_or(name.len()) } else { 0 };
    for taken in 1..=takeable {
        if let Some(left) = match_chunk(chunk, &name[taken..])?
            && fits(left)
        {
            return Ok(Some(left));
        }
    }
    Ok(None)
}

/// Splits off leading stars and the chunk up to the next star outside a class. Returns if there were stars,
/// the chunk, and the rest of the pattern.
fn split_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_class = false;
    let mut end = 0;
    while let Some(byte) = pattern.get(end) {
        match byte {
            b'\\' if end + 1 < pattern.len() => end += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        end += 1;
    }
    (stars > 0, &pattern[..end], &pattern[end..])
}

/// The rest of `name` if `chunk` matches its start; the whole chunk is looked at in any case.
fn match_chunk<'n>(mut chunk: &[u8], name: &'n [u8]) -> Result<Option<&'n [u8]>, Malformed> {
    let mut name = Some(name);
    while let Some((&first, rest)) = chunk.split_first() {
        name = name.filter(|name| !name.is_empty());
        chunk = rest;
        match first {
            b'[' => {
                let (rune, after) = name.map(split_rune).unzip();
                let (matched, rest) = match_class(chunk, rune)?;
                chunk = rest;
                name = after.filter(|_| matched);
            }
            b'?' => name = name.filter(|name| name[0] != b'/').map(|name| split_rune(name).1),
            b'\\' => {
                let (&escaped, rest) = chunk.split_first().ok_or(Malformed)?;
                chunk = rest;
                name = name.and_then(|name| name.strip_prefix(&[escaped]));
            }
            literal => name = name.and_then(|name| name.strip_prefix(&[literal])),
        }
    }
    Ok(name)
}

/// Tells whether the class, whose `[` was taken, matches `rune`, and returns the rest of the chunk after its
/// `]`.
fn match_class(chunk: &[u8], rune: Option<u32>) -> Result<(bool, &[u8]), Malformed> {
    let (negated, mut chunk) = match chunk.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, chunk),
    };
    let mut matched = false;
    for ranges in 0.. {
        if ranges > 0
            && let Some(rest) = chunk.strip_prefix(b"]")
        {
            chunk = rest;
            break;
        }
        let (low, rest) = class_member(chunk)?;
        let (high, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => class_member(rest)?,
            None => (low, rest),
        };
        chunk = rest;
        matched |= rune.is_some_and(|rune| (low..=high).contains(&rune));
    }
    Ok((matched != negated, chunk))
}

/// Reads a possibly escaped rune of a class; something must follow it.
fn class_member(chunk: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let chunk = match chunk.split_first() {
        None | Some((b'-' | b']', _)) => return Err(Malformed),
        Some((b'\\', rest)) => rest,
        Some(_) => chunk,
    };
    match bstr::decode_utf8(chunk) {
        (Some(rune), size) if size < chunk.len() => Ok((u32::from(rune), &chunk[size..])),
        _ => Err(Malformed),
    }
}

/// The first rune of `text`, which is not empty, and the rest; a byte that is not UTF-8 counts as U+FFFD.
fn split_rune(text: &[u8]) -> (u32, &[u8]) {
    match bstr::decode_utf8(text) {
        (Some(rune), size) => (u32::from(rune), &text[size..]),
        (None, _) => (0xFFFD, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_seen_up_to_the_first_mismatch() {
        let good = [
            "",
            ".",
            "a",
            "*",
            "**",
            "[a]",
            "[^a]",
            "[a-c]",
            "[\\]]",
            "[]-a]x"[1..].into(),
            "]",
            "x[",
            "*x[",
            "a{",
        ];
        for pattern in good {
            // `x[` is one chunk: its class is looked at although `x` is not `.`.
            assert_eq!(well_formed(pattern.as_bytes()), !pattern.ends_with("x["), "{pattern}");
        }
        for pattern in ["[", "[]", "[]a]", "[^]", "[-a]", "[a-]", "[a", "[a-", "\\", "a\\", ".[", "*["] {
            assert!(!well_formed(pattern.as_bytes()), "{pattern}");
        }
        assert!(well_formed(b"x*["), "nothing after the first mismatch is looked at");
        assert!(!well_formed(b"[\xFF]"));
    }
}
