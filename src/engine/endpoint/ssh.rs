//! Engines that are reached over ssh. Start with [`Ssh`].
//!
//! The user's own `ssh` program connects, with all its configuration, keys and agents. On the other machine
//! it runs a program that passes its stdin and stdout to the engine, as docker's own command line does.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::Protocol;

/// The longest part of `ssh`'s stderr that is kept, in bytes.
const WORDS_LIMIT: u64 = 4096;

/// The address of a machine for ssh, and of the engine there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ssh {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The path of the engine's socket on that machine; none for the usual one.
    socket: Option<String>,
    protocol: Protocol,
}

impl Ssh {
    /// Reads a target of the form `[user@]host[:port][/path/of/the/socket]`.
    pub(super) fn parse(target: &str, protocol: Protocol) -> Result<Self, String> {
        let (authority, socket) = match target.split_once('/') {
            Some((authority, path)) => (authority, Some(format!("/{path}")).filter(|path| path != "/")),
            None => (target, None),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                let port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
                (name, Some(port))
            }
            _ => (host, None),
        };
        let host = host.trim_matches(['[', ']']);
        // Text with other characters could be taken for an option, or be read by the shell on the other side.
        let is_plain = |text: &str, more: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            !text.is_empty() && !text.starts_with('-') && text.chars().all(known)
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password has no place in it; use a key".to_owned());
        }
        if !is_plain(host, "-._:") || !user.is_none_or(|user| is_plain(user, "-._@\\")) {
            return Err("expected `ssh://user@host`".to_owned());
        }
        if !socket.as_deref().is_none_or(|path| is_plain(path, "-._/")) {
            return Err("the socket's path may have letters, digits, `-`, `_`, `.` and `/`".to_owned());
        }
        let (user, host) = (user.map(str::to_owned), host.to_owned());
        Ok(Self { user, host, port, socket, protocol })
    }

    /// The arguments of `ssh`.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["-o", "ConnectTimeout=10", "-T"].map(str::to_owned).into();
        if let Some(user) = &self.user {
            arguments.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        arguments.extend(["--".to_owned(), self.host.clone()]);
        let (program, flag, command): (_, _, &[&str]) = match self.protocol {
            Protocol::Docker => ("docker", "--host", &["system", "dial-stdio"]),
            Protocol::BuildKit => ("buildctl", "--addr", &["dial-stdio"]),
        };
        arguments.push(program.to_owned());
        if let Some(socket) = &self.socket {
            arguments.extend([flag.to_owned(), format!("unix://{socket}")]);
        }
        arguments.extend(command.iter().map(|word| (*word).to_owned()));
        arguments
    }

    /// Starts `ssh`. The first bytes that are read show whether `ssh` gets there.
    pub(super) fn connect(&self) -> io::Result<SshStream> {
        let mut child = Command::new("ssh")
            .args(self.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot run `ssh`: {error}")))?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let words = tokio::spawn(async move {
            let (mut words, mut rest) = (Vec::new(), stderr);
            let _ = (&mut rest).take(WORDS_LIMIT).read_to_end(&mut words).await;
            // A pipe that nobody empties would stop `ssh`.
            let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
            String::from_utf8_lossy(&words).trim().to_owned()
        });
        Ok(SshStream { stdin, stdout, words, asked: false, answered: false, early: None, _child: child })
    }
}

/// A stream over the stdin and stdout of an `ssh` process, which ends with the stream.
pub(super) struct SshStream {
    stdin: ChildStdin,
    stdout: ChildStdout,
    words: JoinHandle<String>,
    asked: bool,
    answered: bool,
    /// The task that reads before anything was written.
    early: Option<Waker>,
    _child: Child,
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stdout).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.answered = true;
        } else if !self.answered && buffer.remaining() > 0 {
            // An HTTP client that sees the end before it sent its request does not pass the reason on. So the
            // end waits for the request.
            if !self.asked {
                self.early = Some(context.waker().clone());
                return Poll::Pending;
            }
            // `ssh` ended without a byte from the engine, so the stderr of `ssh` is the reason.
            let words = ready!(Pin::new(&mut self.words).poll(context)).unwrap_or_default();
            self.answered = true;
            let words = if words.is_empty() { "`ssh` ended without a word".to_owned() } else { words };
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, words)));
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stdin).poll_write(context, bytes));
        self.asked = true;
        if let Some(early) = self.early.take() {
            early.wake();
        }
        match written {
            // The next read returns the reason; a broken pipe would hide it.
            Err(_) if !self.answered => Poll::Ready(Ok(bytes.len())),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}
