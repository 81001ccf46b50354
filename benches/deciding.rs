//! What deciding costs once everything is gathered: reading Dockerfiles and rules, taking keys, the plan.
//!
//! `./dev bench` runs it. Figures compare versions on one machine; none is a promise.

#![expect(missing_docs, reason = "criterion makes the functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dtbuild::dockerfile::{Dockerfile, Options};
use dtbuild::plan::{Base, Facts, Head, ImageFacts, Plan, Request};
use dtbuild_cache::ignore::Rules;
use dtbuild_cache::key::{KeyFields, SCHEMA};

const DOCKERFILE: &[u8] = include_bytes!("../containers/api/Dockerfile");
const RULES: &[u8] = b"node_modules\n**/*.md\n*.log\n!keep.log\ntest/**\n.git\ndocs/*.txt\n";
const IMAGES: usize = 300;

fn fields() -> KeyFields {
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

fn image(number: usize) -> Option<ImageFacts> {
    let name = format!("image-{number:03}");
    let fields = fields();
    Some(ImageFacts {
        repository: format!("registry.example.com/bench/{name}").parse().ok()?,
        dockerfile: format!("{name}/Dockerfile"),
        name: name.parse().ok()?,
        key: fields.key(),
        fields: fields.into(),
        dependencies: BTreeSet::new(),
        notes: Vec::new(),
        changes: Vec::new(),
        stale: Vec::new(),
        cached: number.is_multiple_of(2),
        digest: None,
        released: true,
    })
}

fn deciding(criterion: &mut Criterion) {
    criterion.bench_function("Dockerfile of the api: read and analyse", |bencher| {
        let (args, none) = (BTreeMap::new(), BTreeSet::new());
        let (bases, contexts) = (BTreeMap::new(), BTreeMap::new());
        let options = Options {
            target: None,
            args: &args,
            platform: "linux/amd64",
            build_platform: "linux/amd64",
            images: &none,
            contexts: &contexts,
            bases: &bases,
            built: &bases,
        };
        bencher.iter(|| Dockerfile::parse(black_box(DOCKERFILE)).map(|file| file.analyse(&options)));
    });
    criterion.bench_function(".dockerignore of seven rules: read", |bencher| {
        bencher.iter(|| Rules::parse(black_box(RULES)));
    });
    criterion.bench_function("one content key", |bencher| {
        let fields = fields();
        bencher.iter(|| black_box(&fields).key());
    });
    criterion.bench_function("a plan of 300 images", |bencher| {
        let facts = Facts {
            environment: "staging".parse().ok(),
            base: Base::None,
            head: Head::Commit { id: "0".repeat(40) },
            images: (0..IMAGES).filter_map(image).collect(),
            current: None,
            last_failed: false,
            deploy_inputs: None,
            deploy_changes: Vec::new(),
            request: Request::default(),
        };
        bencher.iter(|| Plan::decide(black_box(&facts)));
    });
}

criterion_group!(benches, deciding);
criterion_main!(benches);
