//! The contents of large files: as the disk is looked at, and the parts of that that are reading and hashing.
//!
//! A content id is git's, so that a file has one id on the disk and in a commit. Its SHA-1 is one that
//! notices the known attacks on it, as git's own does; this SHA-1, and not the disk, sets the pace.

use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, Throughput};
use dtbuild::git::Repository;
use dtbuild_content::fingerprint::Fingerprint;
use dtbuild_content::tree::Everything;
use gix::hash::Kind;
use sha2::{Digest as _, Sha256};

use crate::Outcome;

const SIZE: usize = 256 << 20;

/// The number of bytes that are read at once.
const CHUNK: usize = 1 << 20;

pub(crate) fn contents(criterion: &mut Criterion) {
    let file = make().unwrap_or_else(|error| panic!("{error}"));
    identify(&changed(&file)).unwrap_or_else(|error| panic!("{error}"));
    let mut group = criterion.benchmark_group("a file of 256 MB");
    group.throughput(Throughput::Bytes(SIZE as u64)).sample_size(10);
    group.bench_function("read", |bencher| bencher.iter(|| read(&file, |bytes| _ = black_box(bytes))));
    group.bench_function("BLAKE3", |bencher| {
        bencher.iter(|| {
            let mut hasher = blake3::Hasher::new();
            read(&file, |bytes| _ = hasher.update(bytes));
            hasher.finalize()
        });
    });
    group.bench_function("SHA-256", |bencher| {
        bencher.iter(|| {
            let mut hasher = Sha256::new();
            read(&file, |bytes| hasher.update(bytes));
            hasher.finalize()
        });
    });
    group.bench_function("git's SHA-1", |bencher| {
        bencher.iter(|| {
            let mut hasher = gix::hash::hasher(Kind::Sha1);
            read(&file, |bytes| hasher.update(bytes));
            hasher.try_finalize()
        });
    });
    group.bench_function("its content id in a working tree", |bencher| {
        bencher.iter_batched(|| changed(&file), |repository| identify(&repository), BatchSize::PerIteration);
    });
    group.finish();
}

/// A repository with one file, which no commit has.
fn make() -> Outcome<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contents");
    let file = folder.join("large");
    if !file.metadata().is_ok_and(|file| file.len() == SIZE as u64) {
        std::fs::create_dir_all(&folder)?;
        let made = Command::new("git").args(["init", "--quiet"]).current_dir(&folder).status()?;
        assert!(made.success());
        let mut bytes = vec![0; SIZE];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        std::fs::write(&file, bytes)?;
    }
    Ok(file)
}

fn read(file: &Path, mut take: impl FnMut(&[u8])) {
    let (Ok(mut file), mut buffer) = (File::open(file), vec![0; CHUNK]) else { return };
    while let Ok(count @ 1..) = file.read(&mut buffer) {
        take(&buffer[..count]);
    }
}

/// The repository, in which no memory knows the file as it is now.
fn changed(file: &Path) -> Repository {
    let opened = File::options().write(true).open(file);
    let touched = opened.and_then(|file| file.set_modified(SystemTime::now()));
    touched.unwrap_or_else(|error| panic!("{error}"));
    Repository::discover(file.parent().unwrap_or(file), Fingerprint::of("benches"))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn identify(repository: &Repository) -> Outcome<String> {
    let tree = repository.working_tree("".into())?.ok_or("the folder is gone")?;
    Ok(tree.digest(&Everything)?.to_string())
}
