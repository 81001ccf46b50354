//! A content key, computed from known fields.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::Criterion;
use dtbuild_content::key::{KeyFields, SCHEMA};

/// The fields of a usual key.
pub(crate) fn fields() -> KeyFields {
    KeyFields {
        schema: SCHEMA,
        dockerfile: "0".repeat(64),
        target: None,
        platforms: vec!["linux/amd64".to_owned()],
        network: None,
        args: BTreeMap::from([("NODE_ENV".to_owned(), "production".to_owned())]),
        bases: BTreeMap::from([("node:22".to_owned(), format!("sha256:{}", "1".repeat(64)))]),
        secrets: BTreeMap::new(),
        contexts: BTreeMap::from([(String::new(), "2".repeat(40))]),
        paths: None,
        attestations: BTreeMap::new(),
        images: BTreeMap::new(),
    }
}

pub(crate) fn keys(criterion: &mut Criterion) {
    let fields = fields();
    criterion.bench_function("one content key", |bencher| bencher.iter(|| black_box(&fields).key()));
}
