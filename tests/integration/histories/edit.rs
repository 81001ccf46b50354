//! The commits that people make. Start with [`History::next`].

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::oracle::random::Random;
use crate::support::repo::TestRepo;

/// A repository that goes on, commit by commit.
pub(super) struct History {
    pub(super) repo: TestRepo,
    pub(super) salt: String,
    /// Base images that Dockerfiles can move to.
    pub(super) bases: Vec<String>,
    /// How many files and texts were made.
    pub(super) made: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Content,
    Added,
    Deleted,
    Renamed,
    FolderMoved,
    Executable,
    Link,
    Comment,
    Instruction,
    Base,
    Ignore,
    Readme,
    Argument,
    Vendor,
    Merge,
    Revert,
}

const EDITS: [(usize, Edit); 16] = [
    (26, Edit::Content),
    (9, Edit::Added),
    (5, Edit::Deleted),
    (6, Edit::Renamed),
    (4, Edit::FolderMoved),
    (4, Edit::Executable),
    (5, Edit::Link),
    (2, Edit::Comment),
    (6, Edit::Instruction),
    (3, Edit::Base),
    (6, Edit::Ignore),
    (7, Edit::Readme),
    (3, Edit::Argument),
    (3, Edit::Vendor),
    (5, Edit::Merge),
    (6, Edit::Revert),
];

impl History {
    /// Commits one edit; its kind.
    pub(super) fn next(&mut self, random: &mut Random) -> &'static str {
        loop {
            let edit = random.weighted(&EDITS);
            let done = match edit {
                Edit::Merge => self.merge(random),
                Edit::Revert => {
                    let back = format!("HEAD~{}", random.below(8));
                    self.tries(&["revert", "--no-edit", &back]) || self.give_up("revert")
                }
                edit => self.apply(edit, random).is_some() && self.commit(edit.kind()),
            };
            if done {
                self.settle();
                return edit.kind();
            }
            self.repo.git(["reset", "--quiet", "--hard"]);
        }
    }

    /// Takes the last commit back.
    pub(super) fn revert(&self) {
        let mainline: &[&str] =
            if self.tries(&["rev-parse", "--verify", "--quiet", "HEAD^2"]) { &["-m", "1"] } else { &[] };
        assert!(self.tries(&[&["revert", "--no-edit"], mainline, &["HEAD"]].concat()));
        self.settle();
    }

    /// A side branch that starts one commit back, and goes into the main branch.
    fn merge(&mut self, random: &mut Random) -> bool {
        if !self.tries(&["checkout", "--quiet", "-B", "side", "HEAD~1"]) {
            return false;
        }
        let edit = [Edit::Content, Edit::Added, Edit::Renamed, Edit::Deleted][random.below(4)];
        let done = self.apply(edit, random).is_some() && self.commit("on the side");
        self.repo.git(["reset", "--quiet", "--hard"]);
        self.repo.git(["checkout", "--quiet", "main"]);
        done && (self.tries(&["merge", "--quiet", "--no-ff", "--no-edit", "side"]) || self.give_up("merge"))
    }

    fn commit(&self, message: &str) -> bool {
        self.repo.git(["add", "--all"]);
        !self.tries(&["diff", "--cached", "--quiet"])
            && self.tries(&["commit", "--quiet", "--message", message])
    }

    /// Leaves what the commit holds, with the modes that git knows, whatever the umask is.
    pub(super) fn settle(&self) {
        self.repo.git(["clean", "-ffdxq"]);
        for path in self.paths() {
            let path = self.repo.path(path);
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_file() {
                let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }

    fn give_up(&self, command: &str) -> bool {
        self.tries(&[command, "--abort"]);
        false
    }

    /// Runs `git`; false where it fails.
    pub(super) fn tries(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(arguments).current_dir(self.repo.root()).output().unwrap().status.success()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        let listed = self.repo.git(["ls-files", "-z"]);
        listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn any(&self, random: &mut Random, will_do: impl Fn(&str) -> bool) -> Option<String> {
        let mut paths = self.paths();
        paths.retain(|path| will_do(path));
        (!paths.is_empty()).then(|| paths.swap_remove(random.below(paths.len())))
    }

    /// The folder of some file.
    pub(super) fn folder(&self, random: &mut Random) -> Option<String> {
        let path = self.any(random, |path| is_source(path) && path.contains('/'))?;
        Some(parent(&path).to_owned())
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.repo.path(path)).unwrap_or_default()
    }

    /// Writes a file, whose executable bit stays; a link is left as it is.
    pub(super) fn write(&self, path: &str, text: &str) {
        let file = self.repo.path(path);
        let Ok(metadata) = fs::symlink_metadata(&file) else { return self.repo.write(path, text, 0o644) };
        if metadata.is_file() {
            fs::write(file, text).unwrap();
        }
    }

    /// Gives a file content that no file had before.
    pub(super) fn rewrite(&mut self, path: &str) {
        let text = format!("{path} {} {}\n", self.salt.clone(), self.number());
        self.write(path, &text);
    }

    pub(super) fn number(&mut self) -> usize {
        self.made += 1;
        self.made
    }
}

impl Edit {
    fn kind(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Added => "new file",
            Self::Deleted => "deleted file",
            Self::Renamed => "renamed file",
            Self::FolderMoved => "moved folder",
            Self::Executable => "executable bit",
            Self::Link => "link",
            Self::Comment => "comment in a Dockerfile",
            Self::Instruction => "instruction more",
            Self::Base => "another base image",
            Self::Ignore => ".dockerignore",
            Self::Readme => "README alone",
            Self::Argument => "build argument",
            Self::Vendor => "vendored library",
            Self::Merge => "merge",
            Self::Revert => "revert",
        }
    }
}

/// True for what is neither a Dockerfile, nor an ignore file, nor `build.toml`.
pub(super) fn is_source(path: &str) -> bool {
    !path.ends_with("Dockerfile") && !path.ends_with(".dockerignore") && path != "build.toml"
}

pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
