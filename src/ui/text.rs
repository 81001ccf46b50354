//! Text that is safe and short enough to show.
//!
//! What builds, deployments, paths and registries say is untrusted: it may hold sequences that move the
//! cursor, retitle the window or hide what follows. Start with [`log_line`] for what a program printed and
//! [`name`] for paths and other names.

use std::borrow::Cow;
use std::time::Duration;

/// A line that a program printed, as it may reach a terminal: without escape sequences and control
/// characters; of what a carriage return overwrites, the last version.
pub(super) fn log_line(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let visible = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
    let mut characters = visible.chars().peekable();
    let mut clean = String::with_capacity(visible.len());
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut characters),
            '\t' => clean.push_str("    "),
            hidden if is_hidden(hidden) => {}
            shown => clean.push(shown),
        }
    }
    clean.truncate(clean.trim_end().len());
    clean
}

/// A text of several lines, each as [`log_line`] leaves it.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(log_line)
}

/// A text as one line.
pub(super) fn one_line(text: &str) -> String {
    lines(text).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A path or another name, with control characters spelled out: two names that differ look different.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    if !name.chars().any(is_hidden) {
        return Cow::Borrowed(name);
    }
    let spell = |character: char| {
        if is_hidden(character) { character.escape_default().to_string() } else { character.into() }
    };
    Cow::Owned(name.chars().map(spell).collect())
}

/// Control characters, and the characters that turn the direction of what follows or take no room.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Skips what follows an escape character (ECMA-48, section 5).
fn skip_escape(characters: &mut Characters<'_>) {
    match characters.next_if(|next| !next.is_control()) {
        Some('[') => skip_control_sequence(characters),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(characters),
        Some(' '..='/') => {
            while characters.next_if(|next| matches!(next, ' '..='/')).is_some() {}
            characters.next_if(|next| matches!(next, '0'..='~'));
        }
        _ => {}
    }
}

/// Skips parameters, intermediates and the final character of a control sequence.
fn skip_control_sequence(characters: &mut Characters<'_>) {
    while characters.next_if(|next| matches!(next, ' '..='?')).is_some() {}
    characters.next_if(|next| matches!(next, '@'..='~'));
}

/// Skips a command string up to its terminator: `BEL`, or `ST` in either form.
fn skip_string(characters: &mut Characters<'_>) {
    while let Some(character) = characters.next() {
        match character {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' if characters.next_if_eq(&'\\').is_some() => return,
            _ => {}
        }
    }
}

/// The first seven digits of a commit's id, as git shows it.
pub(super) fn short_commit(id: &str) -> Cow<'_, str> {
    name(id.char_indices().nth(7).map_or(id, |(end, _)| &id[..end]))
}

/// A digest's algorithm and first twelve digits, as Docker shows it.
pub(super) fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", short_hex(hex)),
        None => short_hex(digest),
    }
}

/// The first twelve digits.
pub(super) fn short_hex(hex: &str) -> String {
    name(hex).chars().take(12).collect()
}

/// A duration as a person says it: `0.3s`, `1m 04s`, `2h 05m`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        // Tenths are cut, not rounded, so that `60.0s` cannot appear.
        0..60 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A duration that an event gives in milliseconds.
pub(super) fn milliseconds(milliseconds: u64) -> String {
    duration(Duration::from_millis(milliseconds))
}

/// An amount of bytes in decimal units, as registries count: `512 B`, `1.2 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

/// `1 image`, `2 images`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// How long ago a time was, in the largest whole unit: `just now`, `3 hours ago`.
pub(super) fn ago(then: i64, now: i64) -> String {
    let seconds = now.saturating_sub(then);
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    match units.iter().find(|(size, _)| seconds >= *size) {
        Some((size, unit)) => {
            format!("{} ago", count(usize::try_from(seconds / size).unwrap_or_default(), unit))
        }
        // Clocks of two machines may differ: a time to come is shown as the present.
        None => "just now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_are_taken_out() {
        for (raw, shown) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{9b}2Jcleared", "cleared"),
            ("\u{1b}(Bset", "set"),
            ("\u{1b}Pq data\u{9c}after", "after"),
            ("10%\r50%\r100%\r\n", "100%"),
            ("a\tb", "a    b"),
            ("bell\u{7}\u{8}\u{0}", "bell"),
            ("\u{202e}desrever", "desrever"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(log_line(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn names_that_differ_look_different() {
        assert_eq!(name("src/ä b.rs"), "src/ä b.rs");
        assert_eq!(name("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }

    #[test]
    fn amounts_read_as_a_person_says_them() {
        assert_eq!(milliseconds(59_999), "59.9s");
        assert_eq!(milliseconds(64_000), "1m 04s");
        assert_eq!(milliseconds(7_500_000), "2h 05m");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_250_000), "1.2 MB");
        assert_eq!(bytes(u64::MAX), "18446744.0 TB");
        assert_eq!(ago(0, 59), "just now");
        assert_eq!(ago(0, 3 * 3600 + 5), "3 hours ago");
        assert_eq!(ago(0, 86_400), "1 day ago");
        assert_eq!(ago(100, 0), "just now");
        assert_eq!(short_digest("sha256:0123456789abcdef"), "sha256:0123456789ab");
    }

    proptest! {
        #[test]
        fn no_control_character_reaches_the_terminal(
            text in "[\\x00-\\x1f\\x7f-\\u{9f}\\[\\];0-9mA-Za-z \\u{202a}-\\u{202e}]{0,64}"
        ) {
            prop_assert!(!log_line(&text).chars().any(is_hidden));
            prop_assert!(!one_line(&text).chars().any(is_hidden));
            prop_assert!(!name(&text).chars().any(is_hidden));
        }
    }
}
