//! The plan, once everything is gathered.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::Criterion;
use dtbuild::plan::{Base, Facts, Head, ImageFacts, Plan, Request, Unnamed};

use crate::keys::fields;

const IMAGES: usize = 300;

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
        unknown_triggers: Vec::new(),
        lost: Vec::new(),
        changes: Vec::new(),
        unnamed: Unnamed::default(),
        stale: Vec::new(),
        cached: number.is_multiple_of(2),
        digest: None,
        released: true,
    })
}

pub(crate) fn plan(criterion: &mut Criterion) {
    criterion.bench_function("a plan of 300 images", |bencher| {
        let facts = Facts {
            environment: "staging".parse().ok(),
            base: Base::None,
            head: Head::Commit { id: "0".repeat(40) },
            images: (0..IMAGES).filter_map(image).collect(),
            current: None,
            removed: Vec::new(),
            last_failed: false,
            deploy_inputs: None,
            deploy_settings: None,
            deploy_changes: Vec::new(),
            notes: Vec::new(),
            request: Request::default(),
        };
        bencher.iter(|| Plan::decide(black_box(&facts)));
    });
}
