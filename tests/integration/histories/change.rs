//! What an edit does to the files. Start with [`History::apply`].

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::edit::{Edit, History, is_source, parent};
use crate::oracle::random::Random;

const IGNORED: [&str; 10] = [
    "**/*.md",
    "**/vendor",
    "src",
    "!src/main.go",
    "**/*.json",
    "docs",
    "*.toml",
    "!**/README.md",
    "**/x*",
    "libs/*/s*",
];

impl History {
    /// Changes the files of the checkout; none where what was drawn cannot be done.
    pub(super) fn apply(&mut self, edit: Edit, random: &mut Random) -> Option<()> {
        match edit {
            Edit::Content => {
                let path = self.any(random, is_source)?;
                self.rewrite(&path);
            }
            Edit::Readme => {
                let path = self.any(random, |path| path.ends_with("README.md"))?;
                self.rewrite(&path);
            }
            Edit::Added => {
                let names =
                    ["x.js", "README.md", "new file.txt", "x_test.go", "é.sql", ".env", "strings.json"];
                let path = format!("{}/{}", self.folder(random)?, random.of(&names));
                self.rewrite(&path);
            }
            Edit::Deleted => drop(self.repo.git(["rm", "--quiet", &self.any(random, is_source)?])),
            Edit::Executable => {
                let path = self.repo.path(self.any(random, is_source)?);
                let mode = fs::metadata(&path).ok()?.permissions().mode() ^ 0o111;
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            Edit::Vendor => {
                let folder = format!("{}/vendor/lib-{}", self.folder(random)?, self.number());
                (0..12).for_each(|number| self.rewrite(&format!("{folder}/{}/file{number}.js", number % 3)));
            }
            Edit::Renamed => self.rename(random)?,
            Edit::FolderMoved => self.move_folder(random)?,
            Edit::Link => self.link(random)?,
            Edit::Ignore => self.ignore(random)?,
            Edit::Argument => self.argument(random)?,
            Edit::Comment | Edit::Instruction | Edit::Base => self.dockerfile(edit, random)?,
            Edit::Merge | Edit::Revert => return None,
        }
        Some(())
    }

    fn rename(&self, random: &mut Random) -> Option<()> {
        let path = self.any(random, is_source)?;
        let name = path.rsplit('/').next()?;
        let folder = if random.chance(50) { self.folder(random)? } else { parent(&path).to_owned() };
        let name = if random.chance(50) { name.to_owned() } else { format!("x-{name}") };
        self.tries(&["mv", &path, format!("{folder}/{name}").trim_start_matches('/')]).then_some(())
    }

    fn move_folder(&mut self, random: &mut Random) -> Option<()> {
        let folder = self.folder(random)?;
        let is_declared = |path: &String| path.starts_with(&format!("{folder}/")) && !is_source(path);
        let to = format!("{folder}-{}", self.number());
        if self.paths().iter().any(is_declared) || !self.tries(&["mv", &folder, &to]) {
            return None;
        }
        // Most people think of the Dockerfiles.
        if random.chance(80) {
            self.follow(&folder, &to);
        }
        Some(())
    }

    fn link(&self, random: &mut Random) -> Option<()> {
        let path = if random.chance(50) {
            self.any(random, is_source)?
        } else {
            format!("{}/link", self.folder(random)?)
        };
        let target = self.any(random, is_source)?;
        let up = "../".repeat(path.matches('/').count());
        let target = match target.rsplit_once('/') {
            Some((folder, name)) if folder == parent(&path) => name.to_owned(),
            _ => format!("{up}{target}"),
        };
        let _ = fs::remove_file(self.repo.path(&path));
        std::os::unix::fs::symlink(target, self.repo.path(&path)).ok()
    }

    fn ignore(&self, random: &mut Random) -> Option<()> {
        let path = self.any(random, |path| path.ends_with(".dockerignore"))?;
        let mut lines: Vec<String> = self.read(&path).lines().map(str::to_owned).collect();
        if random.chance(40) && !lines.is_empty() {
            lines.remove(random.below(lines.len()));
        } else {
            lines.insert(random.below(lines.len() + 1), random.of(&IGNORED).to_owned());
        }
        self.write(&path, &(lines.join("\n") + "\n"));
        Some(())
    }

    /// Gives a build argument another value.
    fn argument(&mut self, random: &mut Random) -> Option<()> {
        let config = self.read("build.toml");
        let names = if random.chance(70) { ["LANGUAGE", "VERSION"] } else { ["UNUSED", "VERSION"] };
        let start =
            names.iter().find_map(|name| Some(config.find(&format!("{name} = \""))? + name.len() + 4))?;
        let end = start + config[start..].find('"')?;
        let config = format!("{}{}{}", &config[..start], self.number(), &config[end..]);
        self.write("build.toml", &config);
        Some(())
    }

    fn dockerfile(&mut self, edit: Edit, random: &mut Random) -> Option<()> {
        let path = self.any(random, |path| path.ends_with("Dockerfile"))?;
        let text = self.read(&path);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let last = lines.len();
        match edit {
            Edit::Comment => lines.insert(random.below(last + 1), format!("# Note {}.", self.number())),
            Edit::Base => {
                let old = self.bases.iter().find(|base| text.contains(*base))?;
                let new = &self.bases[random.below(self.bases.len())];
                lines = text.replace(old, new).lines().map(str::to_owned).collect();
            }
            _ => {
                let number = self.number();
                let added = match random.below(5) {
                    0 => format!("ENV ADDED={number}"),
                    1 => format!("LABEL added={number}"),
                    2 => format!("WORKDIR /added/{number}"),
                    3 => "COPY READM[E].md *.md /added/".to_owned(),
                    _ => format!("COPY . /added/{number}"),
                };
                lines.insert(last, added);
            }
        }
        self.write(&path, &(lines.join("\n") + "\n"));
        Some(())
    }

    /// Has Dockerfiles and ignore files name a folder as it is called now.
    fn follow(&self, from: &str, to: &str) {
        for path in self.paths().into_iter().filter(|path| !is_source(path) && path != "build.toml") {
            let text = self.read(&path);
            let own = parent(&path);
            let below = |folder: &str| folder.strip_prefix(&format!("{own}/")).unwrap_or(folder).to_owned();
            let (old, new) = (below(from), below(to));
            let replaced = text.replace(from, to);
            let replaced = if replaced == text {
                text.replace(&format!(" {old}"), &format!(" {new}"))
            } else {
                replaced
            };
            self.write(&path, &replaced);
        }
    }
}
