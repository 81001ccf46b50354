//! A process as Linux shows it below `/proc`: [`ProcessStat`].

use std::fs;
use std::io::{self, ErrorKind};

/// The state of a process, its parent and its start. <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
pub(crate) struct ProcessStat {
    /// True if the process has ended and waits for its parent.
    pub(crate) ended: bool,
    /// The id of the parent.
    pub(crate) parent: i32,
    /// The start of the process, in clock ticks since the kernel's start: ids are given again.
    pub(crate) started: u64,
}

impl ProcessStat {
    /// The process of this id; none where there is none.
    ///
    /// # Errors
    /// When `/proc` cannot tell.
    pub(crate) fn read(id: u32) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(format!("/proc/{id}/stat")) {
            Err(error) if error.kind() == ErrorKind::NotFound && fs::exists("/proc/self/stat")? => {
                return Ok(None);
            }
            other => other?,
        };
        Self::parse(&text).map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, with any characters in it.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X" | "x");
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { ended, parent, started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state, the parent and the start in a line that begins with `line`.
    fn parsed(line: &str) -> Option<(bool, i32, u64)> {
        let stat = ProcessStat::parse(&format!("{line} 42 42{} 99 0", " 0".repeat(15)))?;
        Some((stat.ended, stat.parent, stat.started))
    }

    #[test]
    fn the_fields_follow_the_name_in_parentheses() {
        assert_eq!(parsed("42 (a) b (c)) S 7"), Some((false, 7, 99)));
        assert_eq!(parsed("42 (sh) Z 7"), Some((true, 7, 99)));
        assert_eq!(parsed("no line"), None);
    }
}
