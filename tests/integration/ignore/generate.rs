//! Random ignore files and contexts. Start with [`Generator`].

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::ignore::Rules;
use dtbuild_content::tree::{ContentId, Kind, Node, Tree, walk};

use super::client::below;
use crate::oracle::random::Random;

/// How many folders with rules of their own a context holds.
const CELLS: usize = 60;
/// How many files of each are tried.
const FILES: usize = 50;

/// Names of files, and as they are also patterns.
const NAMES: [&[u8]; 20] = [
    b"a",
    b"b",
    b"ab",
    b"ba",
    b"aab",
    b"a.b",
    b".a",
    b"b.md",
    b"a b",
    b"A",
    b"\xC3\xA9",
    b"!a",
    b"#a",
    b"a-b",
    b"*",
    b"[a]",
    b"Dockerfile",
    b"a+b",
    b"a$",
    b"node_modules",
];

/// Parts of patterns between slashes.
const PARTS: [&[u8]; 44] = [
    b"*",
    b"*",
    b"**",
    b"**",
    b"?",
    b"a*",
    b"*b",
    b"*a*",
    b"?b",
    b"a?",
    b"*.md",
    b"*.*",
    b".*",
    b"[ab]",
    b"[^a]",
    b"[a-b]*",
    b"[!a]*",
    b"**a",
    b"**b",
    b"a**",
    b"***",
    b"****",
    b"**a*",
    b"*a**",
    b"\\*",
    b"\\!a",
    b"\\#a",
    b"\\a*",
    b"a\\.b",
    b".",
    b"..",
    b"",
    b"{a,b}",
    b"a{2}*",
    b"[[:alpha:]]",
    b"[a",
    b"a]",
    b"a+*",
    b"(a)",
    b"a$*",
    b"^a*",
    b"[*]",
    b"[?]b",
    b"**?",
];

/// A context with its ignore file.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The lines of the ignore file, with the number of the cell that each belongs to.
    lines: Vec<(usize, BString)>,
    /// The files, with the number of their cell.
    files: BTreeMap<BString, (usize, Kind)>,
    /// Every folder with what is in it.
    folders: BTreeMap<BString, BTreeMap<BString, Kind>>,
}

/// Makes cases.
pub(super) struct Generator {
    random: Random,
    /// Whether the present case has exceptions.
    exceptions: bool,
    made: usize,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random(seed), exceptions: true, made: 0 }
    }

    /// By turns: folders that have rules of their own each, and one list of rules for all of a context.
    pub(super) fn case(&mut self) -> Case {
        self.made += 1;
        let cells = self.made % 2 == 1;
        // The walk enters excluded folders as soon as one exception, wherever, is no plain path.
        let plain = self.random.below(2) == 0;
        self.exceptions = self.random.below(3) > 0;
        let (mut lines, mut paths) = (Vec::<(usize, BString)>::new(), Vec::<(usize, BString)>::new());
        for cell in 0..if cells { CELLS } else { 1 } {
            let folder: BString = if cells { format!("c{cell}/").into() } else { BString::default() };
            for _ in 0..FILES * if cells { 1 } else { 8 } {
                paths.push((cell, [&**folder, &**self.path()].concat().into()));
            }
            for _ in 0..=self.random.below(if cells { 7 } else { 10 }) {
                lines.push((cell, self.line(&folder, plain)));
            }
        }
        if self.random.below(4) == 0 {
            lines[0].1 = [b"\xEF\xBB\xBF", &**lines[0].1].concat().into();
        }
        // What is refused is a test of its own.
        lines.retain(|(_, line)| Rules::parse(line).is_ok());
        let mut case = Case { lines, files: BTreeMap::new(), folders: BTreeMap::new() };
        for (cell, path) in paths {
            let kind = if self.random.below(20) == 0 { Kind::Symlink } else { Kind::File };
            case.add(cell, &path, kind);
        }
        case
    }

    fn path(&mut self) -> BString {
        let names: Vec<&[u8]> = (0..=self.random.below(4)).map(|_| self.name()).collect();
        bstr::join("/", names).into()
    }

    fn name(&mut self) -> &'static [u8] {
        // The first ones more often, so that patterns meet them.
        let most = if self.random.below(3) == 0 { NAMES.len() } else { 6 };
        NAMES[self.random.below(most)]
    }

    fn line(&mut self, folder: &[u8], plain: bool) -> BString {
        match self.random.below(40) {
            0 => return "# a comment".into(),
            1 => return BString::default(),
            2 => return [b"  ".as_slice(), folder, b"#a"].concat().into(),
            _ => {}
        }
        let exception = self.exceptions && self.random.below(3) == 0;
        let lead: &[u8] = [&b""[..], b"", b"", b"", b"", b"/", b"./", b"//", b"x/../"][self.random.below(9)];
        let trail: &[u8] =
            [&b""[..], b"", b"", b"", b"", b"/", b"//", b" ", b"\t", b"\r", b"/.", b"/**", b"/*"]
                [self.random.below(13)];
        let parts: Vec<&[u8]> = (0..=self.random.below(3)).map(|_| self.part(exception && plain)).collect();
        let bang: &[u8] = match (exception, self.random.below(8)) {
            (false, _) => b"",
            (true, 0) => b" ! ",
            (true, _) => b"!",
        };
        [bang, lead, folder, &bstr::join("/", parts), trail].concat().into()
    }

    fn part(&mut self, plain: bool) -> &'static [u8] {
        if plain || self.random.below(3) > 0 {
            return self.name();
        }
        PARTS[self.random.below(PARTS.len())]
    }
}

impl Case {
    pub(super) fn new(ignore: &str, paths: &[&str]) -> Self {
        let lines = ignore.lines().map(|line| (0, line.into())).collect();
        let mut case = Self { lines, files: BTreeMap::new(), folders: BTreeMap::new() };
        for path in paths {
            case.add(0, path.as_bytes(), Kind::File);
        }
        case
    }

    /// Adds a file where nothing else is in the way.
    fn add(&mut self, cell: usize, path: &[u8], kind: Kind) {
        let ends: Vec<usize> = path.find_iter("/").collect();
        let above = ends.iter().any(|end| self.files.contains_key(path[..*end].as_bstr()));
        if above || self.folders.contains_key(path.as_bstr()) || path == b"." {
            return;
        }
        for end in ends {
            self.folders.entry(path[..end].into()).or_default();
            let (folder, name) = split(&path[..end]);
            self.folders.entry(folder).or_default().insert(name, Kind::Folder);
        }
        let (folder, name) = split(path);
        self.folders.entry(folder).or_default().insert(name, kind);
        self.files.insert(path.into(), (cell, kind));
    }

    fn text(&self) -> BString {
        bstr::join("\n", self.lines.iter().map(|(_, line)| line)).into()
    }

    /// How many patterns and paths there are that belong together.
    pub(super) fn pairs(&self) -> usize {
        let of_cell = |cell| self.lines.iter().filter(|line| line.0 == cell).count();
        self.files.values().map(|(cell, _)| of_cell(*cell)).sum()
    }

    /// How many lines the ignore file has.
    pub(super) fn patterns(&self) -> usize {
        self.lines.len()
    }

    /// How many files and folders there are.
    pub(super) fn len(&self) -> usize {
        self.files.len() + self.folders.len()
    }

    /// The files and folders that the rules leave.
    pub(super) fn left(&self) -> BTreeSet<BString> {
        let rules = Rules::parse(&self.text()).unwrap();
        let mut left = BTreeSet::new();
        walk(self, &rules, |path, _| {
            left.insert(path.to_owned());
            Ok(())
        })
        .unwrap();
        left
    }

    /// Makes the context at `folder`.
    pub(super) fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for path in self.folders.keys() {
            std::fs::create_dir_all(below(folder, path)).unwrap();
        }
        for (path, (_, kind)) in &self.files {
            match kind {
                Kind::Symlink => std::os::unix::fs::symlink("nowhere", below(folder, path)).unwrap(),
                _ => std::fs::write(below(folder, path), b"").unwrap(),
            }
        }
        std::fs::write(folder.join(".dockerignore"), self.text()).unwrap();
    }

    /// The same case without some `size` lines, or without some `size` files.
    pub(super) fn parts(&self, size: usize) -> impl Iterator<Item = Self> {
        let lines = (0..self.lines.len()).step_by(size).map(move |start| {
            let mut case = self.clone();
            case.lines.drain(start..(start + size).min(self.lines.len()));
            case
        });
        let files = (0..self.files.len()).step_by(size).map(move |start| {
            let mut case =
                Self { lines: self.lines.clone(), files: BTreeMap::new(), folders: BTreeMap::new() };
            for (index, (path, (cell, kind))) in self.files.iter().enumerate() {
                if !(start..start + size).contains(&index) {
                    case.add(*cell, path, *kind);
                }
            }
            case
        });
        lines.chain(files)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "the ignore file: {:?}", self.text())?;
        write!(formatter, "the files: {:?}", self.files.keys().collect::<Vec<_>>())
    }
}

fn split(path: &[u8]) -> (BString, BString) {
    match path.rfind_byte(b'/') {
        Some(slash) => (path[..slash].into(), path[slash + 1..].into()),
        None => (BString::default(), path.into()),
    }
}

impl Tree for Case {
    type Error = Infallible;

    fn hash_kind(&self) -> gix::hash::Kind {
        gix::hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, Infallible> {
        let node = |(name, kind): (&BString, &Kind)| Node { name: name.clone(), kind: *kind, id: None };
        let mut nodes: Vec<Node> = self.folders.get(path).into_iter().flatten().map(node).collect();
        if path.is_empty() {
            nodes.push(Node { name: ".dockerignore".into(), kind: Kind::File, id: None });
        }
        Ok(nodes)
    }

    fn identify(&self, _: &BStr, _: &Node) -> Result<ContentId, Infallible> {
        Ok(ContentId::null(gix::hash::Kind::Sha1))
    }

    fn link(&self, _: &BStr, _: &Node) -> Result<BString, Infallible> {
        Ok("nowhere".into())
    }
}
