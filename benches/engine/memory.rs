//! The most memory that a process has at a time. Start with [`peak`].

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::processes::timing::Timed;

/// The time between two looks at the peak. The kernel tells the peak until then, so that only the last moment
/// can be missed.
const PAUSE: Duration = Duration::from_millis(1);

/// The peak memory of a command's process in KiB, the largest of `runs`; the processes that it starts do not
/// count.
pub(crate) fn peak(command: &Timed, runs: usize) -> Outcome<u64> {
    let mut peak = 0;
    for _ in 0..runs {
        command.prepare()?;
        let mut child = command.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let status = format!("/proc/{}/status", child.id());
        let ended = loop {
            peak = fs::read_to_string(&status).ok().and_then(|text| high_water(&text)).unwrap_or(0).max(peak);
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            thread::sleep(PAUSE);
        };
        if !ended.success() {
            return Err(format!("{} failed: {ended}", command.name).into());
        }
    }
    Ok(peak)
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
