//! The repository that the benchmarks look into: 20 images, 10,000 files.

use std::path::Path;

use dtbuild::git::{CommitId, Repository};
use dtbuild_content::fingerprint::Fingerprint;

use crate::Outcome;
use crate::monorepo::{BASE, Monorepo, Size};

/// The repository, and the commit at which it is looked at.
pub(crate) struct Fixture {
    pub(crate) repository: Repository,
    pub(crate) base: CommitId,
}

impl Fixture {
    /// Generates the repository, unless an earlier run did.
    pub(crate) fn make() -> Outcome<Self> {
        let monorepo = Monorepo::make(Path::new(env!("CARGO_TARGET_TMPDIR")), Size::new(20, 10_000, 10))?;
        let repository = Repository::discover(&monorepo.path, Fingerprint::of("benches"))?;
        Ok(Self { base: repository.resolve(BASE)?, repository })
    }

    /// The commit that differs from the base in so many files.
    pub(crate) fn change(&self, count: usize) -> Outcome<CommitId> {
        Ok(self.repository.resolve(&Monorepo::change(count))?)
    }
}
