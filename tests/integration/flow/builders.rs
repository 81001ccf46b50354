//! Builds on several builders: the machine's engine behind ways of its own, one of which breaks.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use super::bench::Bench;

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
    let id = super::bench::unique();
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
