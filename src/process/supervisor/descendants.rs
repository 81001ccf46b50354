//! The processes that a trigger started, wherever they went. Start with [`end_all`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::process::ProcessStat;

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
        let id: Option<i32> = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(id) = id else { continue };
        let stat = ProcessStat::read(id.unsigned_abs()).ok().flatten();
        if let Some(stat) = stat.filter(|stat| !stat.ended) {
            children.entry(stat.parent).or_default().push(id);
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

#[cfg(test)]
mod tests {
    use super::*;

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
