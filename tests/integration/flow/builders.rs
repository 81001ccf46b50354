//! Builds on several builders: the machine's engine behind ways of its own, one of which breaks.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use super::bench::{Bench, unique, variable};
use crate::engine::bridge::{Bridge, Side};

/// A way to the engine that can be cut: to its client the engine is then gone.
struct Way {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cut: bool,
    open: Vec<TcpStream>,
}

impl Way {
    fn to(engine: &str) -> Self {
        let socket = engine.strip_prefix("unix://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = shared.lock().unwrap();
                if state.cut {
                    let _ = client.shutdown(Shutdown::Both);
                } else {
                    state.open.push(client.try_clone().unwrap());
                    pass(client, UnixStream::connect(&socket).unwrap());
                }
            }
        });
        Self { address, state }
    }

    /// Lets connections through again.
    fn mend(&self) {
        self.state.lock().unwrap().cut = false;
    }

    fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.cut = true;
        for client in state.open.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

/// Passes bytes both ways until one side is done.
fn pass(client: TcpStream, engine: UnixStream) {
    let (mut from_client, mut to_engine) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Both);
    });
    let (mut from_engine, mut to_client) = (engine, client);
    std::thread::spawn(move || {
        let _ = copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

fn declared(builders: &[(&str, &str)]) -> String {
    let table = |(name, address): &(&str, &str)| {
        format!("\n[[builders]]\nname = \"{name}\"\naddress = \"{address}\"\njobs = 1\n")
    };
    builders.iter().map(table).collect()
}

#[test]
fn builders_share_the_images_and_one_that_is_gone_is_done_without() {
    let bench = Bench::new();
    let engine = bench.engine.clone();
    bench.configure(&declared(&[
        ("left", &engine),
        ("right", &engine),
        ("gone", "unix:///nonexistent/docker.sock"),
    ]));
    bench.commit("builders");
    let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    let lost = ran.events_of("builder-lost");
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0]["builder"], "gone");
    for started in ran.events_of("image-started") {
        assert!(["left", "right"].map(Into::into).contains(&started["builder"]), "{started}");
    }
    assert_eq!(bench.deployed().len(), 1);
}

#[test]
fn an_image_whose_builder_dies_is_built_elsewhere() {
    let bench = Bench::new();
    let ways = [("left", Way::to(&bench.engine)), ("right", Way::to(&bench.engine))];
    bench.configure(&declared(&[("left", &ways[0].1.address), ("right", &ways[1].1.address)]));
    // The first attempt waits until its builder is cut off, whichever that is; the second has seen the first.
    // BuildKit does not take steps for others by the ids of their caches alone.
    let id = unique();
    let step = format!(
        "RUN --mount=type=cache,id={id},target=/c \
         : {id}; [ -e /c/seen ] || (touch /c/seen && echo waiting && sleep 99)\n"
    );
    bench.write("site/Dockerfile", &format!("FROM busybox:1.36\nCOPY page /page\n{step}"));
    bench.commit("builders");
    let mut run = bench.start(&["--env", "staging", "--only", "site", "--no-deploy"]);
    let started = run.until(|event| event["event"] == "image-started" && event["image"] == "site");
    run.until_building("waiting");
    let way = ways.iter().find(|(name, _)| started["builder"] == *name).unwrap();
    way.1.cut();
    let ran = run.end().ok();
    let lost = ran.events_of("builder-lost");
    assert_eq!(lost.len(), 1, "{}", ran.stderr);
    assert_eq!(lost[0]["builder"], way.0);
    assert_eq!(ran.images("push-finished"), ["site"]);
}

#[test]
fn a_builder_that_comes_back_builds_again() {
    let bench = Bench::new();
    let engine = variable("DTBUILD_TEST_ENGINE_28");
    let (away, here) = (Way::to(&engine), Way::to(&engine));
    bench.configure(&declared(&[("away", &away.address), ("here", &here.address)]));
    // `api` takes the only place on the builder that answers until its step is ended.
    let mark = format!("1{}", &unique()[10..18]);
    bench.write("api/Dockerfile", &format!("FROM busybox:1.36\nRUN echo waiting; sleep {mark} || true\n"));
    bench.commit("builders");
    away.cut();
    let mut run = bench.start(&["--env", "staging", "--no-deploy"]);
    run.until(|event| event["event"] == "builder-lost" && event["builder"] == "away");
    run.until_building("waiting");
    away.mend();
    run.until(|event| event["event"] == "builder-back" && event["builder"] == "away");
    run.until(|event| event["event"] == "image-finished" && event["image"] == "site");
    end_sleep(&mark);
    let ran = run.end().ok();
    let started = ran.events_of("image-started");
    let started: Vec<_> = started.iter().map(|event| (&event["image"], &event["builder"])).collect();
    assert_eq!(started, [(&"api".into(), &"here".into()), (&"site".into(), &"away".into())]);
    assert_eq!(ran.images("push-finished"), ["api", "site"]);
}

/// Ends the step that sleeps for this time.
fn end_sleep(seconds: &str) {
    let line = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let sleeping = processes.filter(|process| {
        std::fs::read(process.path().join("cmdline")).is_ok_and(|read| read == line.as_bytes())
    });
    for process in sleeping {
        let id = process.file_name().to_str().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
    }
}

#[test]
fn a_release_that_is_not_pushed_is_built_on_the_builders() {
    let bench = Bench::new();
    let engine = bench.engine.clone();
    bench.configure(&declared(&[("left", &engine), ("right", &engine)]));
    bench.write("site/Dockerfile", "FROM api\nCOPY page /page\n");
    bench.commit("builders");
    let ran = bench.run(&["--env", "staging", "--no-push", "--progress", "rawjson"]).ok();
    for started in ran.events_of("image-started") {
        assert!(["left", "right"].map(Into::into).contains(&started["builder"]), "{started}");
    }
    assert_eq!(Bench::file_in(&format!("{}/site:local", bench.registry), "/page"), "hello\n");
    assert!(bench.tags("api").is_empty() && bench.tags("site").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_without_a_store_builds_a_release_that_is_not_pushed() {
    let bridge = Bridge::to(&variable("DTBUILD_TEST_ENGINE_28_CONTAINERD"), Side::BuildKit, None).await;
    let bench = Bench::new();
    bench.configure(&declared(&[("big", &format!("buildkit+tcp://{}", bridge.address))]));
    bench.commit("builders");
    let ran = bench.run(&["--env", "staging", "--no-push", "--progress", "rawjson"]).ok();
    assert_eq!(ran.images("image-started"), ["api", "site"]);
    assert!(bench.tags("api").is_empty() && bench.tags("site").is_empty());

    bench.write("site/Dockerfile", "FROM api\nCOPY page /page\n");
    bench.commit("one from the other");
    let failed = bench.run(&["--env", "staging", "--no-push"]).code(3);
    for told in ["keeping a built image is not supported by buildkitd", "it has no store of images"] {
        assert!(failed.stderr.contains(told), "no `{told}`: {}", failed.stderr);
    }
}

#[test]
fn without_any_builder_the_run_says_what_each_answered() {
    let bench = Bench::new();
    bench.configure(&declared(&[("one", "unix:///nonexistent/docker.sock"), ("two", "tcp://127.0.0.1:1")]));
    bench.commit("builders");
    let failed = bench.run(&["--env", "staging"]).code(3);
    for told in ["none of the builders", "`one`: ", "`two`: ", "DTBUILD_ENGINE"] {
        assert!(failed.stderr.contains(told), "no `{told}`: {}", failed.stderr);
    }
    assert!(bench.tags("api").is_empty() && bench.deployed().is_empty());
}

#[test]
fn images_of_the_same_key_are_built_once() {
    let bench = Bench::with(
        "[project]\nname = \"shop\"\nregistry = \"registry.invalid/shop\"\n[images.api]\ncontext = \"api\"\n\
         [images.site]\ncontext = \"site\"\n[images.twin]\ncontext = \"site\"\n\
         [environments.staging]\nbranch = \"main\"\n",
    );
    let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert_eq!(ran.images("image-started"), ["api", "site"]);
    assert_eq!(ran.images("push-finished"), ["api", "site", "twin"]);
    assert!(bench.digest("site", "staging").is_some());
    assert_eq!(bench.digest("site", "staging"), bench.digest("twin", "staging"));
}
