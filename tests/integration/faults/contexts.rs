//! Files that change or vanish between the moment when they were hashed and the one when they are sent.

use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{published_nothing, publishes};
use crate::flow::bench::{Bench, unique, variable};
use crate::flow::gate::Gate;
use crate::flow::running::BOUND;

/// A way to the engine on which sessions, over which files are sent, wait until they are let through.
struct Held {
    address: String,
    came: Receiver<Sender<()>>,
}

impl Held {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let (sender, came) = channel();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || pass(client, &sender));
            }
        });
        Self { address, came }
    }

    /// Waits for a session; what lets it through.
    fn wait(&self) -> Sender<()> {
        self.came.recv_timeout(BOUND).expect("a session")
    }
}

fn pass(mut client: TcpStream, held: &Sender<Sender<()>>) {
    let mut start = vec![0; 4096];
    let Ok(count) = client.read(&mut start) else { return };
    if start.starts_with(b"POST /session") {
        let (sender, through) = channel();
        let _ = held.send(sender);
        let _ = through.recv();
    }
    let host = variable("DOCKER_HOST");
    let mut engine = UnixStream::connect(host.strip_prefix("unix://").unwrap()).unwrap();
    if engine.write_all(&start[..count]).is_err() {
        return;
    }
    let (mut from_engine, mut to_client) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let _ = copy(&mut client, &mut engine);
    let _ = engine.shutdown(Shutdown::Both);
}

/// A bench that builds `site` from the disk, and a page that no engine has a copy of.
fn from_the_disk() -> (Bench, String) {
    let bench = Bench::new();
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    let site = "context = \"site\"\nsource = \"worktree\"";
    bench.write("build.toml", &config.replace("context = \"site\"", site));
    let page = unique();
    bench.write("site/page", &page);
    bench.commit("from the disk");
    (bench, page)
}

/// Something that happens to a file, and what is told of it.
type Mishap = (fn(&Path), &'static str);

const MISHAPS: [Mishap; 5] = [
    (
        |file| std::fs::write(file, std::fs::read_to_string(file).unwrap().replace("flow", "wolf")).unwrap(),
        "changed",
    ),
    (
        |file| {
            std::fs::write(file, "longer than it was, by far, whatever it was when it was hashed").unwrap();
        },
        "changed",
    ),
    (|file| std::fs::write(file, "").unwrap(), "changed"),
    (|file| std::fs::remove_file(file).unwrap(), "vanished"),
    (
        |file| {
            std::fs::remove_file(file).unwrap();
            std::fs::create_dir(file).unwrap();
        },
        "changed",
    ),
];

#[test]
fn a_file_that_changes_or_vanishes_while_it_is_sent_fails_the_build() {
    for (mishap, says) in MISHAPS {
        let (mut bench, page) = from_the_disk();
        let (held, usual) = (Held::new(), bench.engine.clone());
        bench.engine.clone_from(&held.address);
        let run = bench.start(&["--env", "staging"]);
        let sessions = [held.wait(), held.wait()];
        mishap(&bench.repo.path("site/page"));
        for session in sessions {
            session.send(()).unwrap();
        }
        let told = [&format!("`page` {says} while it was being built"), "build again when nothing"];
        published_nothing(&bench, run.end(), 1, &told.map(|text| text as &str));
        bench.engine = usual;
        restore(&bench, &page);
        publishes(&bench);
    }
}

#[test]
fn a_file_that_changes_after_its_key_was_taken_is_not_built_under_that_key() {
    for (mishap, _) in MISHAPS {
        let (mut bench, page) = from_the_disk();
        let gate = Gate::new();
        bench.registry = format!("{}/{}", gate.address, unique());
        gate.shut("/site/manifests/key-");
        let run = bench.start(&["--env", "staging"]);
        gate.wait();
        mishap(&bench.repo.path("site/page"));
        gate.open();
        let told =
            ["the context of `site`, `site`, changed while it was being built", "build again when nothing"];
        published_nothing(&bench, run.end(), 1, &told);
        assert!(bench.tags("site").is_empty());
        restore(&bench, &page);
        publishes(&bench);
    }
}

fn restore(bench: &Bench, page: &str) {
    let _ = std::fs::remove_dir(bench.repo.path("site/page"));
    bench.write("site/page", page);
}
