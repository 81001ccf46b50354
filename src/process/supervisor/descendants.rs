//! The processes that a trigger started, wherever they went. Start with [`end_all`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process};

const PAUSE: Duration = Duration::from_millis(20);

/// Makes this process the parent of each process that it started indirectly and whose own parent ended.
pub(super) fn adopt() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    Ok(())
}

/// Ends all processes that this process started, directly or not: first gently, after `grace` for good. Returns when
/// none is left.
pub(super) async fn end_all(grace: Duration) {
    let end = Instant::now() + grace;
    send(Signal::TERM);
    // A stopped process hears nothing until it goes on.
    send(Signal::CONT);
    while !descendants().is_empty() {
        // What was killed may have had children that were not seen: they are found in the next look.
        if Instant::now() >= end {
            send(Signal::KILL);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn send(signal: Signal) {
    for process in descendants() {
        // A process that has ended meanwhile needs no signal.
        let _ = kill_process(process, signal);
    }
}

/// The living processes that this process started, directly or not.
fn descendants() -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = process.file_name().to_str().and_then(|name| name.parse().ok());
        let stat = std::fs::read_to_string(process.path().join("stat"));
        if let (Some(id), Some(parent)) = (id, stat.ok().as_deref().and_then(parent)) {
            children.entry(parent).or_default().push(id);
        }
    }
    let (mut found, mut open) = (Vec::new(), vec![getpid().as_raw_nonzero().get()]);
    while let Some(parent) = open.pop() {
        for child in children.remove(&parent).into_iter().flatten() {
            open.push(child);
            found.extend(Pid::from_raw(child));
        }
    }
    found
}

/// The parent of a process, from the line that the kernel has of the process; none for a process that has ended.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn parent(stat: &str) -> Option<i32> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    fields.next()?.parse().ok().filter(|_| !matches!(state, "Z" | "X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_follows_the_name_and_the_state() {
        assert_eq!(parent("42 (a) b (c)) S 7 42 42"), Some(7));
        assert_eq!(parent("42 (sh) Z 7 42 42"), None);
        assert_eq!(parent("no line"), None);
    }

    #[test]
    fn a_child_is_among_the_descendants() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let id = Pid::from_child(&child);
        assert!(descendants().contains(&id));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants().contains(&id));
    }
}
