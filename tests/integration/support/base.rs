//! Base images made by hand: configurations without any files, for one platform or several. Start with
//! [`BaseTag`].
//!
//! ```ignore
//! let base = BaseTag::new(&address());
//! base.serves(&json!({"Env": ["DIST=dist"], "OnBuild": ["COPY package.json /"]}));
//! base.serves_each(&[("linux/amd64", json!({})), ("linux/arm64", json!({}))]);
//! ```

use std::fmt::{self, Write as _};

use dtbuild::reference::{Digest, Reference};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::registry::{fresh_repository, plain_client};

const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A tag in a repository of its own, which names the image that was pushed last.
pub(crate) struct BaseTag(Reference);

impl BaseTag {
    pub(crate) fn new(host: &str) -> Self {
        Self(fresh_repository(host).tagged("1").unwrap())
    }

    /// Pushes an image of one platform, with this configuration, as the tag's image.
    pub(crate) fn serves(&self, config: &Value) -> Digest {
        let bytes = self.manifest("linux/amd64", config);
        self.put("1", MANIFEST, &bytes)
    }

    /// Pushes an index of images, one for each platform, as the tag's image.
    pub(crate) fn serves_each(&self, images: &[(&str, Value)]) -> Digest {
        let entry = |(platform, config): &(&str, Value)| {
            let bytes = self.manifest(platform, config);
            let digest = self.put(digest(&bytes).as_str(), MANIFEST, &bytes);
            let mut entry = json!({"mediaType": MANIFEST, "size": bytes.len(), "digest": digest});
            entry["platform"] = parts(platform);
            entry
        };
        let entries: Vec<Value> = images.iter().map(entry).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        self.put("1", INDEX, index.to_string().as_bytes())
    }

    fn manifest(&self, platform: &str, config: &Value) -> Vec<u8> {
        let mut image = parts(platform);
        image["config"] = config.clone();
        image["rootfs"] = json!({"type": "layers", "diff_ids": []});
        let image = image.to_string().into_bytes();
        self.upload(&image);
        let config = json!({"mediaType": CONFIG, "size": image.len(), "digest": digest(&image)});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []});
        manifest.to_string().into_bytes()
    }

    fn upload(&self, bytes: &[u8]) {
        run(async {
            let client = plain_client();
            let started = client.post(self.address("blobs/uploads/")).send().await.unwrap();
            let location = started.headers()["location"].to_str().unwrap();
            let joiner = if location.contains('?') { '&' } else { '?' };
            let url = format!("{location}{joiner}digest={}", digest(bytes));
            let status = client.put(url).body(bytes.to_vec()).send().await.unwrap().status();
            assert_eq!(status, 201);
        });
    }

    fn put(&self, version: &str, media_type: &str, bytes: &[u8]) -> Digest {
        run(async {
            let put = plain_client().put(self.address(&format!("manifests/{version}")));
            let put = put.header("content-type", media_type).body(bytes.to_vec());
            let answer = put.send().await.unwrap();
            assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
        });
        digest(bytes)
    }

    fn address(&self, tail: &str) -> String {
        let repository = self.0.repository();
        format!("http://{}/v2/{}/{tail}", repository.registry(), repository.path())
    }
}

impl fmt::Display for BaseTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

fn parts(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut part = || parts.next().unwrap_or_default();
    json!({"os": part(), "architecture": part(), "variant": part()})
}

fn digest(bytes: &[u8]) -> Digest {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text.parse().unwrap()
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
