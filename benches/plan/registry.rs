//! A registry on loopback that answers from memory: all that a preview asks is if the registry has a key.
//!
//! The registry also gives the floor that dtbuild's questions are compared with: as many questions at once,
//! and nothing else.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::Outcome;

/// The number of connections that the floor uses: as many as two cores can fill.
const CONNECTIONS: usize = 8;

/// The registry; its threads end with the process.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    answers: Arc<Answers>,
}

#[derive(Default)]
struct Answers {
    has_all: AtomicBool,
    asked: AtomicUsize,
}

impl Registry {
    pub(crate) fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, answers) = (listener.local_addr()?, Arc::<Answers>::default());
        let shared = Arc::clone(&answers);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let answers = Arc::clone(&shared);
                thread::spawn(move || serve(&connection, &answers));
            }
        });
        Ok(Self { address, answers })
    }

    /// Makes the registry have every key from now on, or none.
    pub(crate) fn has_all(&self, has_all: bool) {
        self.answers.has_all.store(has_all, Ordering::SeqCst);
    }

    /// The number of questions since the last call.
    pub(crate) fn asked(&self) -> usize {
        self.answers.asked.swap(0, Ordering::SeqCst)
    }
}

fn serve(connection: &TcpStream, answers: &Answers) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let digest = "6".repeat(64);
    let found = format!(
        "HTTP/1.1 200 OK\r\nDocker-Content-Digest: sha256:{digest}\r\n\
         Content-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: 2\r\n\r\n"
    );
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let (mut lines, mut out) = (BufReader::new(connection), connection);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line == "\r\n" {
            answers.asked.fetch_add(1, Ordering::Relaxed);
            let answer = if answers.has_all.load(Ordering::Relaxed) { &found } else { missing };
            out.write_all(answer.as_bytes())?;
        }
        line.clear();
    }
    Ok(())
}

/// Asks `count` questions on kept-alive connections, several at once: no client can be faster.
pub(crate) fn round(address: &str, count: usize) -> Outcome<()> {
    let work = move |address: String, count: usize| -> std::io::Result<()> {
        let connection = TcpStream::connect(&address)?;
        connection.set_nodelay(true)?;
        let (mut lines, mut out) = (BufReader::new(&connection), &connection);
        for number in 0..count {
            let question =
                format!("HEAD /v2/bench/p{number:04}/manifests/key HTTP/1.1\r\nHost: {address}\r\n\r\n");
            out.write_all(question.as_bytes())?;
            let mut line = String::new();
            while line != "\r\n"
                && lines.read_line({
                    line.clear();
                    &mut line
                })? > 0
            {}
        }
        Ok(())
    };
    let workers = (0..CONNECTIONS).map(|worker| {
        let own = count / CONNECTIONS + usize::from(worker < count % CONNECTIONS);
        let address = address.to_owned();
        thread::spawn(move || work(address, own))
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.join().map_err(|_| "a thread of the round ended")??;
    }
    Ok(())
}
