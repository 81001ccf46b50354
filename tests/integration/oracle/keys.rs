//! Keys as the program itself has them: a repository with an image per case. Start with [`Keys`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use dtbuild_content::tree::Kind;

use super::case::{Case, Leaf};
use crate::support::dtbuild::Dtbuild;
use crate::support::repo::TestRepo;

/// The program, and the repository that it reads.
pub(super) struct Keys {
    repo: TestRepo,
    dtbuild: Dtbuild,
    /// What the repository holds besides `build.toml`.
    written: RefCell<BTreeMap<String, Leaf>>,
}

/// Where the program reads files from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Disk,
    Commit,
}

/// What the program says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The content key.
    Is(String),
    /// The message with which it refuses to build it.
    Refused(String),
}

impl Keys {
    pub(super) fn new() -> Self {
        let repo = TestRepo::new();
        // A long run leaves many objects, and git would take its time to pack them.
        repo.git(["config", "gc.auto", "0"]);
        let dtbuild = Dtbuild::new(&repo);
        Self { repo, dtbuild, written: RefCell::default() }
    }

    /// The keys of `cases`, whose names are all different.
    pub(super) fn of(&self, cases: &[&Case], from: From) -> Vec<Key> {
        self.write(cases);
        // Of what git does not know, a folder that `.dockerignore` empties is none.
        self.repo.git(["add", "--all"]);
        let mut keys: Vec<Option<Key>> = vec![None; cases.len()];
        loop {
            let open: Vec<&Case> =
                cases.iter().zip(&keys).filter(|(_, key)| key.is_none()).map(|(case, _)| *case).collect();
            if open.is_empty() {
                break;
            }
            self.declare(&open);
            // With `--force`, nobody is asked which keys there are.
            let ended = match from {
                From::Disk => self.dtbuild.run(["build", "--dry-run", "--json", "--force"]),
                From::Commit => {
                    self.repo.git(["add", "build.toml"]);
                    self.repo.git(["commit", "--quiet", "--allow-empty", "--message", "x"]);
                    self.dtbuild.run(["plan", "--env", "staging", "--json", "--force"])
                }
            };
            if matches!(ended.code, Some(0 | 10)) {
                let plan = ended.json();
                for image in plan["images"].as_array().unwrap() {
                    let text = |name: &str| image[name].as_str().unwrap().to_owned();
                    let place = cases.iter().position(|case| case.name == text("name")).unwrap();
                    keys[place] = Some(Key::Is(text("key")));
                }
                continue;
            }
            // The first image that is refused ends the program.
            let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            let refused = |case: &Case| message.starts_with(&format!("{}:", case.dockerfile_path()));
            let place = (0..cases.len()).find(|place| keys[*place].is_none() && refused(cases[*place]));
            let place =
                place.unwrap_or_else(|| panic!("of which case is this told? {answer}{}", ended.stderr));
            keys[place] = Some(Key::Refused(message.to_owned()));
        }
        keys.into_iter().flatten().collect()
    }

    /// Makes the repository hold these cases and no others, as somebody who edits it would: what stays is not
    /// touched, and what changes is written over.
    fn write(&self, cases: &[&Case]) {
        let files: BTreeMap<String, Leaf> = cases.iter().flat_map(|case| case.files()).collect();
        let old = self.written.replace(files.clone());
        let is_link = |leaf: &Leaf| leaf.0 == Kind::Symlink;
        for (path, old) in &old {
            if files.get(path).is_none_or(|new| new != old && (is_link(new) || is_link(old))) {
                self.remove(path);
            }
        }
        for (path, (kind, content)) in files.iter().filter(|(path, leaf)| old.get(*path) != Some(leaf)) {
            match kind {
                Kind::Symlink => {
                    let path = self.repo.path(path);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::os::unix::fs::symlink(content, path).unwrap();
                }
                Kind::Executable => self.repo.write(path, content, 0o755),
                _ => self.repo.write(path, content, 0o644),
            }
        }
    }

    /// Removes a file, and the folders that held nothing else.
    fn remove(&self, path: &str) {
        fs::remove_file(self.repo.path(path)).unwrap();
        for (end, _) in path.rmatch_indices('/') {
            if fs::remove_dir(self.repo.path(&path[..end])).is_err() {
                break;
            }
        }
    }

    fn declare(&self, cases: &[&Case]) {
        let mut text =
            "[project]\nname = \"oracle\"\nregistry = \"registry.example.com/oracle\"\n".to_owned();
        text.push_str("[environments.staging]\nbranch = \"main\"\n");
        for case in cases {
            let (name, dockerfile) = (&case.name, case.dockerfile_path());
            write!(text, "[images.{name}]\ncontext = \"{name}\"\ndockerfile = \"{dockerfile}\"\n").unwrap();
            if case.target.is_some() {
                writeln!(text, "target = \"{}\"", case.target_name()).unwrap();
            }
            let named = case.named_arguments();
            let named: Vec<String> = named
                .iter()
                .map(|(name, value)| format!("{name} = {}", toml::Value::from(value.as_str())))
                .collect();
            writeln!(text, "args = {{ {} }}", named.join(", ")).unwrap();
        }
        self.repo.write("build.toml", text, 0o644);
    }
}
