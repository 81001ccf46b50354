//! Git repositories for tests, made by the real `git` program. Start with [`TestRepo`].
//!
//! ```ignore
//! let repo = TestRepo::new().file("app/main.rs", "fn main() {}").commit("first");
//! let repo = repo.executable("app/run", "#!/bin/sh").remove("app/main.rs").commit("second");
//! assert_eq!(repo.git(["rev-parse", "HEAD"]), repo.head());
//! ```

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dtbuild_content::fingerprint::Fingerprint;
use tempfile::TempDir;

/// The fingerprint of the code under test, for the answers that the code keeps from one run to the next.
pub(crate) fn code() -> Fingerprint {
    Fingerprint::of("the code under test")
}

/// A repository in a folder of its own that is removed with the value.
///
/// The repository sees no configuration but its own, and its commits have a fixed author and time.
#[must_use]
pub(crate) struct TestRepo {
    root: PathBuf,
    _folder: TempDir,
}

impl TestRepo {
    /// An empty repository on the branch `main`.
    pub(crate) fn new() -> Self {
        Self::init(&[])
    }

    /// An empty repository, made with further arguments of `git init`.
    pub(crate) fn init(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("repo");
        fs::create_dir(&root).unwrap();
        let repo = Self { root, _folder: folder };
        repo.git(["init", "--quiet", "--initial-branch=main"].iter().chain(arguments));
        repo
    }

    /// A clone of `self`, made with further arguments of `git clone`, such as `--depth=1`.
    pub(crate) fn cloned(&self, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("repo");
        let source = format!("file://{}", self.root.display());
        let ends = [source.as_str(), root.to_str().unwrap()];
        run(folder.path(), ["clone", "--quiet"].iter().chain(arguments).chain(&ends), b"");
        Self { root, _folder: folder }
    }

    /// Writes a file, and makes the folders above it; a file that is there loses its executable bit.
    pub(crate) fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content, 0o644);
        self
    }

    /// Writes a file with the executable bit.
    pub(crate) fn executable(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content, 0o755);
        self
    }

    /// Makes a symbolic link with the text `target`.
    pub(crate) fn link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(OsStr::from_bytes(target.as_ref()), path).unwrap();
        self
    }

    /// Removes a file, a link, or a folder with all paths in it.
    pub(crate) fn remove(self, path: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        if path.symlink_metadata().unwrap().is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        self
    }

    /// Commits all changes since the last commit, even if there are none.
    pub(crate) fn commit(self, message: &str) -> Self {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--message", message]);
        self
    }

    /// Writes a file with the given mode, the umask left aside.
    pub(crate) fn write(&self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The path of a file of the work tree.
    pub(crate) fn path(&self, path: impl AsRef<[u8]>) -> PathBuf {
        self.root.join(OsStr::from_bytes(path.as_ref()))
    }

    /// The file of this name in which the code under test keeps its answers.
    pub(crate) fn found_out(&self, name: &str) -> PathBuf {
        code().folder(&self.path(".git/dtbuild")).file(name)
    }

    /// The root of the work tree; of a bare repository, the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The id of the commit that HEAD names.
    pub(crate) fn head(&self) -> String {
        self.git(["rev-parse", "HEAD"])
    }

    /// Runs `git` in the work tree; returns its output, trimmed.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        String::from_utf8(self.git_bytes(arguments, b"")).unwrap().trim().to_owned()
    }

    /// Runs `git` in the work tree with `input` on its stdin; returns its output.
    pub(crate) fn git_bytes<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Vec<u8> {
        run(&self.root, arguments, input)
    }
}

fn run<S: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A U Thor");
        command.env(format!("GIT_{role}_EMAIL"), "author@example.com");
        command.env(format!("GIT_{role}_DATE"), "1700000000 +0100");
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false"]);
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tests need `git`");
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {errors}");
        output.stdout
    })
}
