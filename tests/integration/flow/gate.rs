//! A way to the registry that can be shut for one kind of request: a run can be stopped at an instant.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::bench::registry_address;
use super::running::BOUND;

/// Passes connections on to the registry. A request whose text holds the word that is shut out goes no further.
pub(crate) struct Gate {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
    stopped: Receiver<String>,
}

#[derive(Default)]
struct State {
    shut: Option<String>,
    held: Vec<TcpStream>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (sender, stopped) = channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (state, sender) = (Arc::clone(&shared), sender.clone());
                std::thread::spawn(move || pass(client, &state, &sender));
            }
        });
        Self { address, state, stopped }
    }

    /// Stops requests whose first line holds `word` from now on.
    pub(crate) fn shut(&self, word: &str) {
        self.state.lock().unwrap().shut = Some(word.to_owned());
    }

    /// Lets all later requests pass. Those that were stopped fail: an engine goes on pushing for a while when its
    /// client is gone.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.shut = None;
        for client in state.held.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Waits until a request was stopped.
    pub(crate) fn wait(&self) -> String {
        self.stopped.recv_timeout(BOUND).expect("a request that is stopped")
    }
}

fn pass(mut client: TcpStream, state: &Mutex<State>, stopped: &Sender<String>) {
    let Ok(mut registry) = TcpStream::connect(registry_address()) else { return };
    let (mut back, mut answer) = (client.try_clone().unwrap(), registry.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answer, &mut back);
        let _ = back.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        if let Some(line) = request_line(&buffer[..count]) {
            let mut state = state.lock().unwrap();
            if state.shut.as_ref().is_some_and(|word| line.contains(word)) {
                state.held.push(client.try_clone().unwrap());
                // The connection stays open and silent until the client gives up.
                drop(state);
                let _ = stopped.send(line);
                while let Ok(1..) = client.read(&mut buffer) {}
                break;
            }
        }
        if registry.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = registry.shutdown(Shutdown::Both);
}

/// The first line of a request that begins in `bytes`; clients write a request's head in one piece.
fn request_line(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    line.ends_with(" HTTP/1.1").then(|| line.to_owned())
}
