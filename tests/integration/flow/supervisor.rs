//! The supervisor of a trigger by itself: what it ends, when, and what it lets be.
//!
//! The standard output of a trigger is open as long as one of the processes lives that it started: its end says that
//! all of them have ended.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};

use super::running::BOUND;

/// A trigger that leaves its process group, starts processes that leave theirs, and hears no polite signal.
const ESCAPES: &str = "import os, signal, subprocess, sys, time\n\
    if os.fork(): time.sleep(600)\n\
    os.setsid()\n\
    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
    subprocess.Popen(['sleep', '600'], start_new_session=True)\n\
    print('ready', flush=True)\n\
    time.sleep(600)\n";

struct Supervised {
    child: Child,
    /// The lines of the trigger; the sender is dropped at their end.
    lines: Receiver<String>,
    _state: tempfile::TempDir,
}

impl Supervised {
    fn start(patience: u32, trigger: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtbuild"));
        command.arg("supervise").arg("--lock").arg(state.path().join("lock"));
        command.args(["--patience", &patience.to_string(), "--"]).args(trigger);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines: follow(lines), _state: state }
    }

    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(BOUND) {
            Ok(line) => Some(line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// Waits for the end of the supervisor, and returns its exit code.
    fn code(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

fn follow(lines: Lines<BufReader<ChildStdout>>) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// Two hours, which no test takes.
const LONG: u32 = 7_200_000;

#[test]
fn a_trigger_ends_with_its_run_wherever_its_processes_went() {
    let mut supervised = Supervised::start(LONG, &["python3", "-c", ESCAPES]);
    assert_eq!(supervised.line().as_deref(), Some("ready"));
    drop(supervised.child.stdin.take());
    assert_eq!(supervised.line(), None);
    assert_eq!(supervised.code(), 143, "the trigger itself heard the polite signal");
}

#[test]
fn a_trigger_ends_where_the_lease_is_not_renewed_in_time() {
    let supervised = Supervised::start(1, &["python3", "-c", ESCAPES]);
    while supervised.line().is_some() {}
    assert_eq!(supervised.code(), 143);
}

#[test]
fn a_supervisor_that_is_told_to_end_ends_a_stopped_trigger_too() {
    let stops = "import os, signal\nprint('ready', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\n";
    let supervised = Supervised::start(LONG, &["python3", "-c", stops]);
    assert_eq!(supervised.line().as_deref(), Some("ready"));
    for heard in [Signal::HUP, Signal::INT] {
        // The run passes these on by its pipe.
        kill_process(Pid::from_child(&supervised.child), heard).unwrap();
    }
    kill_process(Pid::from_child(&supervised.child), Signal::TERM).unwrap();
    assert_eq!(supervised.line(), None);
    assert_eq!(supervised.code(), 143);
}

#[test]
fn the_end_of_a_trigger_is_told_and_what_it_leaves_stays() {
    assert_eq!(Supervised::start(LONG, &["sh", "-c", "exit 3"]).code(), 3);
    assert_eq!(Supervised::start(LONG, &["sh", "-c", "kill -9 $$"]).code(), 137);
    let mut daemon = Supervised::start(LONG, &["sh", "-c", "sleep 600 & echo $!"]);
    let id = daemon.line().unwrap().parse().unwrap();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).expect("it stayed");
    assert_eq!(daemon.line(), None);
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let supervised = Supervised::start(LONG, &["/nowhere/deploy"]);
    assert_eq!(supervised.code(), 4);
}
