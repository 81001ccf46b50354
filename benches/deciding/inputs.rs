//! The inputs of a Dockerfile: from its text to the files of a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use criterion::Criterion;
use dtbuild::dockerfile::{Dockerfile, Options};
use dtbuild_content::sources::{Reading, Selection, Source};

use crate::repository::Fixture;

const DOCKERFILE: &[u8] = include_bytes!("../../containers/api/Dockerfile");

pub(crate) fn inputs(criterion: &mut Criterion) {
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
    let fixture = Fixture::make().unwrap_or_else(|error| panic!("{error}"));
    let context = fixture.repository.commit_tree(fixture.base, "packages/p0001".into());
    let context = context.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|| panic!("no context"));
    let source = |path: &str, reading| Source { path: path.to_owned(), reading };
    let sources = [
        source("package.json", Reading::Wildcards),
        source("src", Reading::Wildcards),
        source("src/*/k1/*.ts", Reading::Wildcards),
        source("**/f7.ts", Reading::Parents),
    ];
    criterion.bench_function("four sources, found among 500 files of a commit", |bencher| {
        bencher.iter(|| Selection::find(&context, black_box(&sources)));
    });
}
