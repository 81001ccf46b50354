//! A cache in a folder: an OCI image layout, as `docker buildx` makes it. Start with [`Layout`].
//!
//! Blobs lie in `blobs/sha256` under their digests; `index.json` names caches by tags.
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dtbuild_content::draft::Draft;
use serde_json::{Value, json};

use crate::reference::Digest;

const INDEX: &str = "index.json";
/// The annotation that names a manifest of the index.
const TAG: &str = "org.opencontainers.image.ref.name";

/// The folder of a cache. Others may use the folder at the same time, other programs included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes the folder for blobs, and the file that marks the layout.
    pub(super) fn create(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.folder.join("blobs/sha256"))?;
        self.replace("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    /// The path of a blob, if the layout has the blob.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.as_str().replace(':', "/"))
    }

    /// A new file that can become a blob.
    pub(super) fn pending(&self) -> io::Result<Draft> {
        let ingest = self.folder.join("ingest");
        std::fs::create_dir_all(&ingest)?;
        Draft::shared(&ingest)
    }

    /// The digest that the index has for `tag`; none if there is no index, or no such tag.
    pub(super) fn tagged(&self, tag: &str) -> io::Result<Option<String>> {
        let index = self.index()?;
        let manifests = index["manifests"].as_array().into_iter().flatten();
        let mut named = manifests.filter(|manifest| manifest["annotations"][TAG] == tag);
        Ok(named.next().and_then(|manifest| manifest["digest"].as_str()).map(str::to_owned))
    }

    /// Gives `tag` to the manifest that a descriptor describes, and to no other.
    pub(super) fn tag(&self, mut descriptor: Value, tag: &str) -> io::Result<()> {
        // The lock of `docker buildx`; closing the file lets it go.
        let lock = File::create(self.folder.join(format!("{INDEX}.lock")))?;
        lock.lock()?;
        let mut index = self.index()?;
        descriptor["annotations"][TAG] = tag.into();
        if let Some(manifests) = index["manifests"].as_array_mut() {
            manifests.retain(|manifest| manifest["annotations"][TAG] != tag);
            manifests.push(descriptor);
        }
        self.replace(INDEX, index.to_string().as_bytes())
    }

    fn index(&self) -> io::Result<Value> {
        let mut index = match std::fs::read(self.folder.join(INDEX)) {
            Ok(bytes) => serde_json::from_slice::<Value>(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => json!({}),
            Err(error) => return Err(error),
        };
        if !index.is_object() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("its `{INDEX}` is no index")));
        }
        index["schemaVersion"] = 2.into();
        if !index["manifests"].is_array() {
            index["manifests"] = json!([]);
        }
        Ok(index)
    }

    /// Puts a file in its place as a whole, so that no reader sees a part of it.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = Draft::shared(&self.folder)?;
        file.write_all(bytes)?;
        file.keep(&self.folder.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(digit: char) -> Value {
        json!({"digest": format!("sha256:{}", digit.to_string().repeat(64)), "size": 2})
    }

    #[test]
    fn a_tag_names_what_was_put_last() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(&folder.path().join("new/cache"));
        assert_eq!(layout.tagged("latest").unwrap(), None, "there is no folder yet");
        layout.create().unwrap();
        for (digit, tag) in [('1', "latest"), ('2', "other"), ('3', "latest")] {
            layout.tag(descriptor(digit), tag).unwrap();
        }
        let digest = |digit| descriptor(digit)["digest"].as_str().map(str::to_owned);
        assert_eq!(layout.tagged("latest").unwrap(), digest('3'));
        assert_eq!(layout.tagged("other").unwrap(), digest('2'));
        assert_eq!(layout.tagged("none").unwrap(), None);
        let index = std::fs::read_to_string(folder.path().join("new/cache/index.json")).unwrap();
        assert!(!index.contains("111"), "{index}");
        layout.create().unwrap();
        assert_eq!(layout.tagged("other").unwrap(), digest('2'), "what is there stays");
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        for text in ["[]", "{"] {
            std::fs::write(folder.path().join(INDEX), text).unwrap();
            assert!(layout.tagged("latest").is_err(), "{text}");
        }
    }
}
