//! Text from outside, made inert: texts of builds, deployments, paths and registries are not trusted. Start with
//! [`plain`].
//!
//! Such a text may hold sequences that move a terminal's cursor, retitle its window or hide the rest of a line, and
//! commands that a CI system takes out of a job's log. [`plain`] is for text on its way into events, errors and
//! records, [`name`] for paths and other names, [`part`] and [`line`] for printed lines.

use std::borrow::Cow;
use std::collections::BTreeSet;

use anstream::adapter::strip_str;

/// A text without the characters that a terminal obeys or hides: escape sequences, control characters and characters
/// that are not shown. Tabs stay.
///
/// Line breaks are control characters, so the caller passes the lines of a text one by one.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let is_kept = |character: char| character == '\t' || !is_hidden(character);
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let stripped = strip_str(&seven_bit(text)).to_string();
    Cow::Owned(stripped.chars().filter(|character| is_kept(*character)).collect())
}

/// A path or another name, with hidden characters and the beginnings of CI systems' commands spelled out, so that two
/// names that differ look different.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    let spelled = if name.chars().any(is_hidden) {
        let spell = |character: char| {
            if is_hidden(character) { character.escape_default().to_string() } else { character.into() }
        };
        Cow::Owned(name.chars().map(spell).collect())
    } else {
        Cow::Borrowed(name)
    };
    if marks(&spelled).next().is_none() { spelled } else { Cow::Owned(parted(&spelled, "\\u{23}")) }
}

/// A part of a printed line, changed so that no CI system finds a command in the part: `##[error]` of GitHub,
/// `##vso[...]` of Azure, `##teamcity[...]`.
pub(crate) fn part(text: &str) -> Cow<'_, str> {
    if marks(text).next().is_none() { Cow::Borrowed(text) } else { Cow::Owned(parted(text, " ")) }
}

/// A whole printed line, changed so that no CI system takes the line or a part of it for a command: GitHub looks for
/// `::` at the start of a line.
pub(crate) fn line(line: &str) -> Cow<'_, str> {
    let line = part(line);
    if line.trim_start().starts_with("::") { Cow::Owned(format!("| {line}")) } else { line }
}

/// The offsets right behind each `##` with which a command begins: letters and `[` follow.
fn marks(text: &str) -> impl Iterator<Item = usize> {
    let ends = text.match_indices("##").map(|(start, _)| start + 2);
    let ends = ends.map(|end| end + text[end..].bytes().take_while(|byte| *byte == b'#').count());
    ends.filter(|end| text[*end..].trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('['))
}

/// A text in which the beginning of each command is broken up: by a space behind its last `#`, or by another text
/// `between` in place of that `#`.
fn parted(text: &str, between: &str) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len() + between.len()), 0);
    // A longer row of `#` is met several times.
    for end in marks(text).collect::<BTreeSet<_>>() {
        let kept = if between == " " { end } else { end - 1 };
        out.push_str(&text[done..kept]);
        out.push_str(between);
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

/// True for control characters, and for characters that turn the direction of the text, take no room or are never
/// shown.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text with the control characters U+0080 to U+009F as the escape sequences that they stand for (ECMA-48, 5.3): a
/// terminal that knows both forms obeys both.
fn seven_bit(text: &str) -> Cow<'_, str> {
    let is_c1 = |character: char| matches!(character, '\u{80}'..='\u{9f}');
    if !text.contains(is_c1) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(code @ 0x80..=0x9f) => out.extend(['\u{1b}', char::from(code - 0x40)]),
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_are_taken_out() {
        for (raw, shown) in [
            ("plain", "plain"),
            ("gr\u{fc}n \u{1f980} \u{db}\u{dc}", "gr\u{fc}n \u{1f980} \u{db}\u{dc}"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[1;31mred\u{1b}[0m\r\u{7} \u{1b}]0;t\u{7}end\tx", "red end\tx"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]0;t\u{fc}r \u{2713}\u{7}text", "text"),
            ("\u{9b}2Jcleared", "cleared"),
            ("\u{9d}0;title\u{9c}text", "text"),
            ("\u{1b}(Bset", "set"),
            ("\u{1b}(Bplain\u{1b}7", "plain"),
            ("\u{1b}Pq data\u{9c}after", "after"),
            ("\u{1b}_secret\u{1b}\\after", "after"),
            ("a\tb\u{8}\u{0}\u{9b}2Kc", "a\tbc"),
            ("bell\u{7}\u{8}\u{0}\u{7f}", "bell"),
            ("two\r\nlines", "twolines"),
            ("abc\u{202e}cba \u{2066}x\u{2069}", "abccba x"),
            ("no\u{200b}room\u{feff} \u{e0041}", "noroom "),
            ("cut \u{1b}[", "cut "),
            ("\u{1b}", ""),
        ] {
            assert_eq!(plain(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn names_that_differ_look_different() {
        assert_eq!(name("src/\u{e4} b.rs"), "src/\u{e4} b.rs");
        assert_eq!(name("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(name("a##[error]b##c"), "a#\\u{23}[error]b##c");
    }

    #[test]
    fn no_ci_system_finds_a_command() {
        for (raw, shown) in [
            ("all ## is [well]", "all ## is [well]"),
            ("npm error ##[error]the lock file", "npm error ## [error]the lock file"),
            ("##vso[task.setvariable variable=PATH]x", "## vso[task.setvariable variable=PATH]x"),
            ("a ##teamcity[x] ####[y]", "a ## teamcity[x] #### [y]"),
            ("::set-output name=x::y", "| ::set-output name=x::y"),
            ("   ::stop-commands::x", "|    ::stop-commands::x"),
            ("std::process", "std::process"),
        ] {
            assert_eq!(line(raw), shown, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn no_character_that_a_terminal_obeys_is_left(
            text in "[\\x00-\\x1f\\x7f-\\u{9f}\\[\\];0-9mA-Za-z \\u{c0}-\\u{ff}\\u{202a}-\\u{202e}]{0,64}"
        ) {
            prop_assert!(plain(&text).chars().all(|character| character == '\t' || !is_hidden(character)));
            prop_assert!(!name(&text).chars().any(is_hidden));
        }

        #[test]
        fn text_without_them_stays(text in "[a-zA-Z0-9 \t\\u{c0}-\\u{ff}\\[\\]:#]{0,32}") {
            prop_assert_eq!(plain(&text), &*text);
        }

        #[test]
        fn no_line_of_a_log_is_a_command(text in "[ :#\\[a-z\t]{0,24}") {
            let line = line(&text);
            prop_assert!(!line.trim().starts_with("::"));
            prop_assert!(marks(&line).next().is_none());
            prop_assert!(marks(&name(&text)).next().is_none());
        }
    }
}
