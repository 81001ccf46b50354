//! The phases of a run with the time that each took, for `--timings`. Start with [`write_timings`].

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

/// The times of a run: in all, and per phase.
pub struct TimingsView {
    /// The time since the start of the program.
    pub total: Duration,
    /// The phases, each with the time that it took, in order.
    pub phases: Vec<(&'static str, Duration)>,
}

/// Writes a line per phase: milliseconds, the share of the whole, the name.
pub fn write_timings(out: &mut impl Write, view: &TimingsView) -> io::Result<()> {
    let known: Duration = view.phases.iter().map(|(_, time)| *time).sum();
    let rest = view.total.saturating_sub(known);
    let line = |out: &mut dyn Write, name: &str, time: Duration| {
        let share = 100.0 * time.as_secs_f64() / view.total.as_secs_f64().max(f64::MIN_POSITIVE);
        writeln!(out, "{:>9.2} ms  {share:>3.0} %  {name}", time.as_secs_f64() * 1000.0)
    };
    for (name, time) in &view.phases {
        line(out, name, *time)?;
    }
    line(out, "all else", rest)?;
    line(out, "all", view.total)?;
    match peak_memory() {
        Some(peak) => writeln!(out, "{peak:>9} KiB       peak memory"),
        None => Ok(()),
    }
}

/// The most memory that the process had at a time, in KiB; none where the system does not tell.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_its_share_and_what_is_left_is_told() {
        let milliseconds = Duration::from_millis;
        let phases = vec![("repository", milliseconds(1)), ("keys", milliseconds(2))];
        let mut out = Vec::new();
        write_timings(&mut out, &TimingsView { total: milliseconds(4), phases }).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().take(4).collect();
        assert_eq!(
            lines,
            [
                "     1.00 ms   25 %  repository",
                "     2.00 ms   50 %  keys",
                "     1.00 ms   25 %  all else",
                "     4.00 ms  100 %  all"
            ]
        );
    }
}
