//! The imports of `src`, read from its text. Start with [`imports`].

use std::fs;
use std::path::{Path, PathBuf};

/// One path that starts with `crate::`, `super::` or the name of another crate.
pub(crate) struct Import {
    /// The file, from `src`.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The module that holds the path, outermost first.
    from: Vec<String>,
    /// The module that is named, from the crate's root; for another crate its name alone.
    pub(crate) to: Vec<String>,
    /// Whether it is another crate's.
    external: bool,
}

impl Import {
    /// The room that the file stands in.
    pub(crate) fn room(&self) -> String {
        self.from.first().cloned().unwrap_or_else(|| "main".to_owned())
    }

    /// The room that is named; that of the file where another crate is.
    pub(crate) fn named_room(&self) -> String {
        match self.to.first() {
            Some(room) if !self.external => room.clone(),
            _ => self.room(),
        }
    }

    /// Whether the path is of this other crate.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.external && self.to.first().is_some_and(|first| first == name)
    }

    /// The two folders below their common parent that the import leads between; none within one folder.
    pub(crate) fn folders(&self) -> Option<(String, String)> {
        if self.external {
            return None;
        }
        let common = self.from.iter().zip(&self.to).take_while(|(from, to)| from == to).count();
        let folder = |path: &[String]| {
            let path: PathBuf = path.get(..=common)?.iter().collect();
            Path::new("src").join(&path).is_dir().then(|| path.display().to_string())
        };
        Some((folder(&self.from)?, folder(&self.to)?))
    }
}

/// All imports of `src`, tests left out.
pub(crate) fn imports() -> Vec<Import> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    read(&root, &root, &mut found);
    assert!(found.len() > 500, "only {} imports were found: is the reader broken?", found.len());
    found
}

fn read(root: &Path, folder: &Path, found: &mut Vec<Import>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test(&path) {
            let file = path.strip_prefix(root).unwrap().to_owned();
            of_file(&file, &fs::read_to_string(&path).unwrap(), found);
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

fn of_file(file: &Path, text: &str, found: &mut Vec<Import>) {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if module == ["lib"] {
        return;
    }
    for (line, code) in text.lines().enumerate() {
        // Tests may look anywhere; they stand at the end of a file.
        if code.trim() == "#[cfg(test)]" {
            return;
        }
        let code = code.split("//").next().unwrap_or_default();
        for (to, external) in paths(code, &module) {
            let (file, from) = (file.display().to_string(), module.clone());
            found.push(Import { file, line: line + 1, from, to, external });
        }
    }
}

/// The paths of a line of code.
fn paths(code: &str, module: &[String]) -> Vec<(Vec<String>, bool)> {
    let words = |text: &str| -> Vec<String> {
        let path = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
        let path = path.take(1).flat_map(|path| path.split("::"));
        path.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let mut found = Vec::new();
    for (place, _) in code.match_indices("crate::") {
        if code[..place].ends_with('$') {
            continue;
        }
        found.push((words(&code[place + "crate::".len()..]), false));
    }
    if let Some(rest) = code.trim_start().strip_prefix("use super::") {
        let (mut parent, mut rest) = (&module[..module.len().saturating_sub(1)], rest);
        while let Some(further) = rest.strip_prefix("super::") {
            (parent, rest) = (&parent[..parent.len().saturating_sub(1)], further);
        }
        found.push((parent.iter().cloned().chain(words(rest)).collect(), false));
    }
    if code.contains("clap") {
        found.push((vec!["clap".to_owned()], true));
    }
    found
}
