//! The paths that differ between two commits.

use criterion::{BenchmarkId, Criterion};

use crate::repository::Fixture;

pub(crate) fn diff(criterion: &mut Criterion) {
    let fixture = Fixture::make().unwrap_or_else(|error| panic!("{error}"));
    let mut group = criterion.benchmark_group("diff of 10,000 files");
    for changed in [1, 100, 1000] {
        let head = fixture.change(changed).unwrap_or_else(|error| panic!("{error}"));
        group.bench_function(BenchmarkId::new("changed", changed), |bencher| {
            bencher.iter(|| fixture.repository.changed_paths(fixture.base, head));
        });
    }
    group.finish();
}
