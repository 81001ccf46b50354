//! `.dockerignore`: read, asked for a path, and applied to a commit.

use std::hint::black_box;

use bstr::BStr;
use criterion::{Criterion, Throughput};
use dtbuild_content::ignore::Rules;
use dtbuild_content::tree::Everything;

use crate::repository::Fixture;

const RULES: &[u8] = b"node_modules\n**/*.md\n*.log\n!keep.log\ntest/**\n.git\ndocs/*.txt\n";

pub(crate) fn ignore(criterion: &mut Criterion) {
    criterion.bench_function(".dockerignore of seven rules: read", |bencher| {
        bencher.iter(|| Rules::parse(black_box(RULES)));
    });
    let rules = Rules::parse(RULES).unwrap_or_else(|error| panic!("{error}"));
    criterion.bench_function(".dockerignore of seven rules: one path", |bencher| {
        bencher.iter(|| rules.matches(black_box(BStr::new("src/m3/k4/README.md"))));
    });
    let fixture = Fixture::make().unwrap_or_else(|error| panic!("{error}"));
    let all = fixture.repository.commit_tree(fixture.base, "".into());
    let all = all.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|| panic!("no commit"));
    assert!(all.digest(&rules).is_ok());
    let mut group = criterion.benchmark_group("10,000 files of a commit");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("no rules", |bencher| bencher.iter(|| all.digest(black_box(&Everything))));
    group.bench_function("seven rules", |bencher| bencher.iter(|| all.digest(black_box(&rules))));
    group.bench_function("seven rules, remembered", |bencher| {
        bencher.iter(|| all.remembered_digest(black_box(&rules)));
    });
    group.finish();
}
