//! Lengths of time as `build.toml` and the command line write them: [`duration`].

use std::time::Duration;

/// Reads a time such as `90s`, `10m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
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
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "m", "10 m", "-1s", "1.5h", "25h", "99999999999999999999s", "1d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
