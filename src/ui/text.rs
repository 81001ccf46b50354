//! Functions that make text safe and short enough to show.
//!
//! Start with [`log_line`] for what a program printed and [`name`] for paths and other names: both are [`inert`].

use std::borrow::Cow;
use std::time::Duration;

use crate::inert;
pub(super) use crate::inert::name;

/// A line that a program printed, safe for a terminal or a CI system's log. Where carriage returns overwrite text, the
/// last text is kept.
pub(super) fn log_line(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let visible = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
    let clean = inert::plain(visible).replace('\t', "    ");
    inert::part(clean.trim_end()).into_owned()
}

/// The lines of a text, each as [`log_line`] makes it.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(log_line)
}

/// A text as one line.
pub(super) fn one_line(text: &str) -> String {
    lines(text).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The first seven digits of a commit's id, as git shows the id.
pub(super) fn short_commit(id: &str) -> Cow<'_, str> {
    name(id.char_indices().nth(7).map_or(id, |(end, _)| &id[..end]))
}

/// The algorithm and the first twelve digits of a digest, as Docker shows a digest.
pub(super) fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", short_hex(hex)),
        None => short_hex(digest),
    }
}

/// The first twelve digits of a hexadecimal text.
pub(super) fn short_hex(hex: &str) -> String {
    name(hex).chars().take(12).collect()
}

/// The duration in the largest units: `0.3s`, `1m 04s`, `2h 05m`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        // Tenths are cut, not rounded, so that `60.0s` cannot appear.
        0..60 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The [`duration`] of an event that gives it in milliseconds.
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

/// The number with its noun: `1 image`, `2 images`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The age of the time `then`, in the largest whole unit: `just now`, `3 hours ago`. Times are in seconds since 1970.
pub(super) fn ago(then: i64, now: i64) -> String {
    let seconds = now.saturating_sub(then);
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    match units.iter().find(|(size, _)| seconds >= *size) {
        Some((size, unit)) => {
            format!("{} ago", count(usize::try_from(seconds / size).unwrap_or_default(), unit))
        }
        // The clocks of two machines may differ: a future time is shown as the present.
        None => "just now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_a_terminal_would_show_last() {
        for (raw, shown) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m  ", "red"),
            ("10%\r50%\r100%\r\n", "100%"),
            ("a\tb", "a    b"),
            ("\u{202e}desrever", "desrever"),
            ("##[error]no", "## [error]no"),
        ] {
            assert_eq!(log_line(raw), shown, "{raw:?}");
        }
        assert_eq!(one_line("two\r\n\u{1b}[2J\nlines\n"), "two lines");
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
}
