//! The file service of a session: BuildKit fetches the context and the Dockerfile with it. Start with
//! [`FileSync`].
//!
//! The protocol is fsutil's `DiffCopy` (described in its `receive.go`). The sender lists all stats, numbered
//! from 0 in the order of the walk, and the receiver asks for contents by number. Data comes in chunks, and
//! an empty chunk ends a file. At the end `FIN` goes back and forth.

use std::io::Read;

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server;
use bstr::BString;
use dtbuild_content::snapshot::SnapshotEntry;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::folder::{Selection, stat};
use super::folders::Folders;

/// The size of a chunk of a file, in bytes; fsutil's own sender uses this size.
const CHUNK: usize = 32 * 1024;
/// The number of packets that may wait for the connection: 2 MiB of data at most.
const WAITING: usize = 64;

/// The file service, which sends folders to the engine.
pub(super) struct FileSync {
    /// The folders of the session, by the names that the frontend asks for.
    pub(super) folders: Folders,
}

type Packets = mpsc::Sender<Result<Packet, Status>>;

/// The transfer of one folder to the engine.
struct Transfer {
    selection: Selection,
    packets: Packets,
}

#[tonic::async_trait]
impl file_sync_server::FileSync for FileSync {
    type DiffCopyStream = ReceiverStream<Result<Packet, Status>>;
    type TarStreamStream = ReceiverStream<Result<Packet, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let name = values(request.metadata(), "dir-name").into_iter().flatten().next().unwrap_or_default();
        let name = name.to_string();
        let folder = self
            .folders
            .get(&name)
            .ok_or_else(|| Status::not_found(format!("no folder `{name}` in this session")))?;
        // Include and exclude patterns only narrow what is sent, and `.dockerignore` is applied already.
        let paths = values(request.metadata(), "followpaths").unwrap_or_default();
        let (packets, stream) = mpsc::channel(WAITING);
        let transfer = Transfer { selection: Selection::new(folder, &paths), packets };
        tokio::spawn(transfer.serve(request.into_inner(), self.folders.clone(), name));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("tar streams"))
    }
}

impl Transfer {
    /// Answers the receiver's packets until the receiver has all that it wants or goes away.
    async fn serve(self, incoming: Streaming<Packet>, folders: Folders, name: String) {
        let packets = self.packets.clone();
        let (requests, queue) = mpsc::unbounded_channel();
        let listen = listen(incoming, requests, self.selection.len());
        // Contents are read with blocking calls; the thread ends when the queue or the stream does.
        let mut pump = tokio::task::spawn_blocking(move || self.pump(queue));
        let (pumped, finished) = tokio::select! {
            finished = listen => (pump.await, finished),
            // A receiver that waits for a file which cannot be read says nothing.
            pumped = &mut pump => (pumped, false),
        };
        match pumped {
            Ok(Ok(())) if finished => {
                let _ = packets.send(Ok(control(PacketType::PacketFin))).await;
            }
            Ok(Err(reason)) => {
                folders.fail(&name, &reason);
                let error = Packet { data: reason.clone().into_bytes(), ..control(PacketType::PacketErr) };
                let _ = packets.send(Ok(error)).await;
                let _ = packets.send(Err(Status::aborted(reason))).await;
            }
            // The receiver went away, and has its own message for that.
            _ => {}
        }
    }

    /// Sends all stats, then the contents that the receiver asks for. An error is a fault of the folder.
    fn pump(&self, mut queue: mpsc::UnboundedReceiver<u32>) -> Result<(), String> {
        for entry in self.selection.entries() {
            let packet = Packet { stat: Some(stat(entry)?), ..control(PacketType::PacketStat) };
            if !self.send(packet) {
                return Ok(());
            }
        }
        if !self.send(control(PacketType::PacketStat)) {
            return Ok(());
        }
        while let Some(id) = queue.blocking_recv() {
            let Some(entry) = self.selection.file(id) else {
                return Err(format!("the engine asked for file {id}, which is not one"));
            };
            if !self.send_file(id, entry)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends the content of `entry`; returns `false` if the receiver went away.
    fn send_file(&self, id: u32, entry: &SnapshotEntry) -> Result<bool, String> {
        let unreadable = |error: std::io::Error| format!("cannot read `{}`: {error}", entry.path);
        let mut reader = self.selection.contents().open(entry).map_err(unreadable)?;
        let mut sent = 0;
        loop {
            let mut data = Vec::with_capacity(CHUNK);
            // A short read is no end: small packets would cost more than they carry.
            (&mut reader).take(CHUNK as u64).read_to_end(&mut data).map_err(unreadable)?;
            sent += data.len() as u64;
            let done = data.is_empty();
            if sent > entry.size || (done && sent != entry.size) {
                return Err(format!(
                    "`{}` changed while it was sent: expected {} bytes",
                    entry.path, entry.size
                ));
            }
            if !self.send(Packet { id, data, ..control(PacketType::PacketData) }) {
                return Ok(false);
            }
            if done {
                return Ok(true);
            }
        }
    }

    fn send(&self, packet: Packet) -> bool {
        self.packets.blocking_send(Ok(packet)).is_ok()
    }
}

/// Passes on the receiver's requests for some of the `files` entries; returns true if the receiver ended with
/// `FIN`.
async fn listen(mut incoming: Streaming<Packet>, requests: mpsc::UnboundedSender<u32>, files: usize) -> bool {
    let mut unasked = vec![true; files];
    while let Ok(Some(packet)) = incoming.message().await {
        match packet.r#type() {
            PacketType::PacketReq => {
                // Asking once per file bounds the queue.
                let first = unasked.get_mut(packet.id as usize).is_some_and(std::mem::take);
                if !first || requests.send(packet.id).is_err() {
                    return false;
                }
            }
            PacketType::PacketFin => return true,
            _ => return false,
        }
    }
    false
}

fn control(kind: PacketType) -> Packet {
    Packet { r#type: kind.into(), ..Packet::default() }
}

/// The values of an option in a request's metadata; none if one of the values cannot be read.
///
/// Old engines send names as they are; newer ones percent-encode what is not ASCII, and say so in
/// `<option>-encoded`.
fn values(metadata: &MetadataMap, option: &str) -> Option<Vec<BString>> {
    let encoded = metadata.contains_key(format!("{option}-encoded"));
    let decode = |bytes: &[u8]| if encoded { unescape(bytes) } else { Some(bytes.into()) };
    metadata.get_all(option).iter().map(|value| decode(value.as_encoded_bytes())).collect()
}

/// The text that Go's `url.QueryEscape` escaped; none if the escapes are malformed.
fn unescape(text: &[u8]) -> Option<BString> {
    let mut bytes = text.iter().copied();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_new_and_old_engines_are_read() {
        let mut metadata = MetadataMap::new();
        metadata.append("followpaths", "a b".parse().unwrap());
        metadata.append("followpaths", "c%20+d".parse().unwrap());
        assert_eq!(values(&metadata, "followpaths"), Some(vec!["a b".into(), "c%20+d".into()]));
        metadata.append("followpaths-encoded", "1".parse().unwrap());
        assert_eq!(values(&metadata, "followpaths"), Some(vec!["a b".into(), "c  d".into()]));
        assert_eq!(values(&metadata, "absent"), Some(vec![]));
        assert_eq!(unescape(b"%C3%BC"), Some("\u{fc}".into()));
        assert_eq!(unescape(b"%C"), None);
    }
}
