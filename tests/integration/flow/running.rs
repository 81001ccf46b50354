//! A program under way, and its events as they come.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bench::Ran;

/// No step of these tests takes so long: it bounds a test that waits for what does not come.
pub(crate) const BOUND: Duration = Duration::from_mins(2);

/// A run that has not ended.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: String,
}

impl Running {
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, stderr: String::new() }
    }

    /// Reads events up to the first one that is asked for.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.recv_timeout(BOUND);
            let Ok(line) = line else { panic!("it did not come; stderr until then:\n{}", self.stderr) };
            self.stderr.push_str(&line);
            self.stderr.push('\n');
            match serde_json::from_str(&line) {
                Ok(event) if wanted(&event) => return event,
                _ => {}
            }
        }
    }

    /// Waits until the deployment says that it waits.
    pub(crate) fn until_deploying(&mut self) {
        self.until(|event| event["event"] == "deploy-log" && event["line"] == "waiting");
    }

    /// Waits until a step of a build prints `line`.
    pub(crate) fn until_building(&mut self, line: &str) {
        self.until(|event| event["event"] == "image-log" && event["line"] == line);
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it with no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        loop {
            match self.lines.recv_timeout(BOUND) {
                Ok(line) => self.stderr += &(line + "\n"),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("{error}; stderr until then:\n{}", self.stderr),
            }
        }
        let code = self.child.wait().unwrap().code();
        Ran { code, stdout, stderr: std::mem::take(&mut self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
