//! Values of options that are more than a word: how clap reads them.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::engine::{Archive, ArchiveKind};
use crate::ui::ProgressMode;

impl ValueEnum for ProgressMode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Tty, Self::Plain, Self::RawJson, Self::Quiet]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => ("auto", "Bars on a terminal, else plain lines"),
            Self::Tty => ("tty", "Bars: one line per image, redrawn"),
            Self::Plain => ("plain", "Lines, one after the other: for CI"),
            Self::RawJson => ("rawjson", "One JSON object per line and event: for programs"),
            Self::Quiet => ("quiet", "Failures only"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// Reads `type=oci,dest=FILE`, as `docker buildx build --output` does.
pub(super) fn archive(text: &str) -> Result<Archive, String> {
    let mut kind = None;
    let mut path = None;
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("type", "oci")) => kind = Some(ArchiveKind::Oci),
            Some(("type", "docker")) => kind = Some(ArchiveKind::Docker),
            Some(("dest", file)) if !file.is_empty() => path = Some(PathBuf::from(file)),
            _ => return Err(format!("`{field}` is neither `type=oci`, `type=docker` nor `dest=FILE`")),
        }
    }
    match (kind, path) {
        (Some(kind), Some(path)) => Ok(Archive { kind, path }),
        _ => Err("expected `type=oci,dest=FILE` or `type=docker,dest=FILE`".to_owned()),
    }
}

/// Reads a time such as `90s`, `10m` or `1h`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 0,
    };
    let count: Option<u64> = number.parse().ok().filter(|_| seconds > 0);
    let time = count.and_then(|count| count.checked_mul(seconds)).filter(|time| *time <= 86_400);
    time.map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is not a time such as `90s`, `10m` or `1h`, a day at most"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_is_a_day_at_most() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("10m", 600), ("1h", 3600), ("24h", 86_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "m", "10 m", "-1s", "1.5h", "25h", "99999999999999999999s", "1d"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
