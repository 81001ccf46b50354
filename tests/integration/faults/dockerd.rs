//! An engine of one test, which it may kill.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::flow::bench::{unique, variable};

/// A `dockerd` with a folder, a containerd and a cgroup of its own, and no network. Dropped, nothing of it is left.
pub(super) struct OwnEngine {
    /// What `DOCKER_HOST` is.
    pub(super) address: String,
    /// Its name among cgroups and containerd's namespaces.
    id: String,
    process: Child,
    folder: TempDir,
}

impl OwnEngine {
    pub(super) fn start() -> Self {
        Self::with(serde_json::json!({}))
    }

    /// An engine with these settings besides its own.
    pub(super) fn with(settings: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (at, id) = (folder.path(), unique());
        let mut config = serde_json::json!({
            "data-root": at.join("data"),
            "exec-root": at.join("exec"),
            "pidfile": at.join("pid"),
            "hosts": [format!("unix://{}", at.join("socket").display())],
            "registry-mirrors": [format!("http://{}", variable("DTBUILD_TEST_MIRROR"))],
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": format!("/{id}"),
            "bridge": "none",
            "iptables": false,
            "ip6tables": false,
            "shutdown-timeout": 1,
        });
        let serde_json::Value::Object(settings) = settings else { panic!("settings are an object") };
        config.as_object_mut().unwrap().extend(settings);
        fs::write(at.join("daemon.json"), config.to_string()).unwrap();
        let address = format!("unix://{}", at.join("socket").display());
        let process = spawn(at, &id);
        let mut engine = Self { address, id, process, folder };
        engine.until_it_answers();
        engine
    }

    /// Ends it with no chance to tidy up.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // Its containerd ends with it, but is taken to run still where no process collects the ended ones.
        let _ = fs::remove_file(self.folder.path().join("exec/containerd/containerd.pid"));
    }

    /// Ends it as a service manager does.
    pub(super) fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.process.wait().unwrap();
    }

    /// Starts it again after its end.
    pub(super) fn start_again(&mut self) {
        self.process = spawn(self.folder.path(), &self.id);
        self.until_it_answers();
    }

    /// Lets it do nothing, and not even know.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn until_it_answers(&mut self) {
        let start = Instant::now();
        while !self.answers() {
            let ended = self.process.try_wait().unwrap();
            let log = || {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                log.lines().rev().take(5).map(str::to_owned).collect::<Vec<_>>()
            };
            assert!(
                ended.is_none() && start.elapsed() < Duration::from_mins(2),
                "dockerd does not start: {:?}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = UnixStream::connect(self.folder.path().join("socket")) else { return false };
        let mut answer = String::new();
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.ends_with("OK")
    }

    /// Every process of a step is in the engine's cgroup, and nothing else is.
    fn cgroups(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let controllers = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let all = std::iter::once(root.to_owned()).chain(controllers).map(|folder| folder.join(&self.id));
        all.filter(|folder| folder.is_dir()).collect()
    }
}

fn spawn(at: &Path, id: &str) -> Child {
    let log = fs::File::create(at.join("log")).unwrap();
    let mut dockerd = Command::new("dockerd");
    dockerd.arg("--config-file").arg(at.join("daemon.json"));
    dockerd.args(["--containerd-namespace", id, "--containerd-plugins-namespace", &format!("{id}-plugins")]);
    dockerd.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    dockerd.spawn().unwrap_or_else(|error| panic!("install the package `docker.io`: {error}"))
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its containerd ends with it. What steps are left does not.
        let cgroups = self.cgroups();
        let start = Instant::now();
        while cgroups.iter().any(|cgroup| !removed(cgroup)) && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let places = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
        for place in places.filter(|place| Path::new(place).starts_with(self.folder.path())) {
            let _ = Command::new("umount").args(["--lazy", place]).status();
        }
    }
}

/// Ends what runs in a cgroup, and removes it once nothing does; whether it is gone.
fn removed(cgroup: &Path) -> bool {
    let children = fs::read_dir(cgroup).into_iter().flatten().flatten().map(|entry| entry.path());
    let left = children.filter(|path| path.is_dir() && !removed(path)).count();
    let processes = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    for process in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        let _ = kill_process(process, Signal::KILL);
    }
    left == 0 && (fs::remove_dir(cgroup).is_ok() || !cgroup.exists())
}
