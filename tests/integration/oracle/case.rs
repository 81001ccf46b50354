//! Random folders with a Dockerfile's instructions, and one random change of each. Start with [`Case`].

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild::dockerfile::{Dockerfile, Options, SourceKind};
use dtbuild_cache::ignore::Rules;
use dtbuild_cache::sources::{Reading, Selection, Source};
use dtbuild_cache::tree::{Both, ContentId, Kind, Node, Tree, digest};

/// The same numbers for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % limit as u64).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

const NAMES: [&str; 6] = ["a", "b", "ab", "a.o", "b.o", "c"];

/// A folder of a context, and the instructions that read it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The folder: no other case and no earlier run has one of this name.
    folder: String,
    /// The files and links, by path below the folder.
    files: BTreeMap<String, (Kind, BString)>,
    pub(super) ignore: Vec<String>,
    pub(super) instructions: Vec<String>,
}

impl Case {
    pub(super) fn new(random: &mut Random, folder: String) -> Self {
        let mut case = Self { folder, files: BTreeMap::new(), ignore: Vec::new(), instructions: Vec::new() };
        for number in 0..3 + random.below(6) {
            let kind = if random.below(5) == 0 { Kind::Executable } else { Kind::File };
            let path = path(random);
            case.put(path, kind, format!("file {number} of {}", case.folder));
        }
        for _ in 0..random.below(3) {
            let (path, text) = (path(random), case.target(random));
            case.put_link(path, &text, random);
        }
        for _ in 0..random.below(3) {
            let pattern = case.ignored(random);
            case.ignore.push(pattern);
        }
        for number in 0..=random.below(2) {
            let keyword = random.of(&["COPY", "COPY", "ADD"]);
            let source = case.source(random);
            case.instructions.push(format!("{keyword} {}/{source} /d{number}/", case.folder));
        }
        case
    }

    /// Puts a file where nothing else is in the way.
    fn put(&mut self, path: String, kind: Kind, content: impl Into<BString>) {
        let inside = format!("{path}/");
        let below = self.files.keys().any(|other| other.starts_with(&inside));
        let above = path.match_indices('/').any(|(end, _)| self.files.contains_key(&path[..end]));
        if !below && !above {
            self.files.insert(path, (kind, content.into()));
        }
    }

    fn put_link(&mut self, path: String, target: &str, random: &mut Random) {
        let text = match random.below(4) {
            0 => format!("/{}/{target}", self.folder),
            _ => format!("{}{target}", "../".repeat(path.matches('/').count())),
        };
        self.put(path, Kind::Symlink, text);
    }

    /// A file, a link, or a folder above one.
    fn target(&self, random: &mut Random) -> String {
        let paths: Vec<&String> = self.files.keys().collect();
        let path = paths[random.below(paths.len())];
        match path.rsplit_once('/') {
            Some((folder, _)) if random.below(2) == 0 => folder.to_owned(),
            _ => path.clone(),
        }
    }

    fn source(&self, random: &mut Random) -> String {
        let target = self.target(random);
        match (random.below(8), target.rsplit_once('/')) {
            (0, _) => random.of(&["*", "a*", "?", "*.o", "[ab]*", "*/a", "a*/*"]).to_owned(),
            (1, Some((folder, _))) => format!("{folder}/{}", random.of(&["*", "?", "*.o", "[^a]"])),
            (2, Some((_, name))) => format!("*/{name}"),
            _ => target,
        }
    }

    fn ignored(&self, random: &mut Random) -> String {
        let exception = if random.below(4) == 0 { "!" } else { "" };
        let pattern = match random.below(3) {
            0 => random.of(&["**/*.o", "*.o", "a/*", "**/c", "b"]).to_owned(),
            _ => self.target(random),
        };
        format!("{exception}{}/{pattern}", self.folder)
    }

    /// The same case with one thing changed, and what.
    pub(super) fn mutated(&self, random: &mut Random) -> (Self, String) {
        let mut case = self.clone();
        let paths: Vec<&String> = self.files.keys().collect();
        let path = paths[random.below(paths.len())].clone();
        let (kind, content) = self.files[&path].clone();
        let changed = match (random.below(7), kind) {
            (0, _) => {
                case.files.remove(&path);
                format!("{path} removed")
            }
            (1, _) => {
                let new = self::path(random);
                case.put(new.clone(), Kind::File, format!("new in {}", self.folder));
                format!("{new} added")
            }
            (2, _) => {
                let new = self::path(random);
                case.files.remove(&path);
                case.put(new.clone(), kind, content);
                format!("{path} renamed to {new}")
            }
            (3, _) => {
                let pattern = case.ignored(random);
                case.ignore.push(pattern.clone());
                format!("{pattern} ignored")
            }
            (_, Kind::Symlink) => {
                let target = case.target(random);
                case.files.remove(&path);
                case.put_link(path.clone(), &target, random);
                format!("{path} leads to {target}")
            }
            (4, _) => {
                let kind = if kind == Kind::File { Kind::Executable } else { Kind::File };
                case.files.insert(path.clone(), (kind, content));
                format!("{path} is now {kind:?}")
            }
            _ => {
                case.files.insert(path.clone(), (kind, format!("changed in {}", self.folder).into()));
                format!("{path} modified")
            }
        };
        (case, changed)
    }

    /// The same case in a folder that the engine has not seen.
    pub(super) fn moved(&self) -> Self {
        let folder = format!("{}y", self.folder);
        let text = |text: &String| text.replace(&self.folder, &folder);
        let content = |content: &BString| BString::from(content.to_string().replace(&self.folder, &folder));
        let file =
            |(path, (kind, bytes)): (&String, &(Kind, BString))| (path.clone(), (*kind, content(bytes)));
        Self {
            files: self.files.iter().map(file).collect(),
            ignore: self.ignore.iter().map(text).collect(),
            instructions: self.instructions.iter().map(text).collect(),
            folder: folder.clone(),
        }
    }

    /// The files, by path from the context's root.
    pub(super) fn files(&self) -> impl Iterator<Item = (String, Kind, &[u8])> {
        self.files
            .iter()
            .map(|(path, (kind, content))| (format!("{}/{path}", self.folder), *kind, content.as_slice()))
    }

    /// The digest that enters the key; none when a build is known to fail.
    pub(super) fn digest(&self) -> Option<ContentId> {
        let text = format!("FROM scratch\n{}\n", self.instructions.join("\n"));
        let (args, names) = (BTreeMap::new(), BTreeSet::new());
        let analysis = Dockerfile::parse(text.as_bytes()).unwrap().analyse(&Options {
            target: None,
            args: &args,
            platform: "linux/amd64",
            build_platform: "linux/amd64",
            images: &names,
            contexts: &BTreeMap::new(),
            bases: &BTreeMap::new(),
            built: &BTreeMap::new(),
        });
        let source = |source: &dtbuild::dockerfile::Source| {
            assert_eq!(source.kind, SourceKind::Copy);
            Source { path: source.path.clone(), reading: Reading::Wildcards }
        };
        let sources: Vec<Source> = analysis.unwrap().inputs.sources.iter().map(source).collect();
        let selection = Selection::find(self, &sources).unwrap();
        let rules = Rules::parse(self.ignore.join("\n").as_bytes()).unwrap();
        let ignored = selection.plain().any(|(_, mut paths)| paths.any(|path| rules.takes_all(path)));
        if ignored || selection.missing().next().is_some() {
            return None;
        }
        Some(digest(self, &Both(rules, selection)).unwrap())
    }
}

fn path(random: &mut Random) -> String {
    let names: Vec<&str> = (0..=random.below(3)).map(|_| random.of(&NAMES)).collect();
    names.join("/")
}

impl Tree for Case {
    type Error = Infallible;

    fn hash_kind(&self) -> gix::hash::Kind {
        gix::hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, Infallible> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut nodes = BTreeMap::new();
        for (path, kind, _) in self.files() {
            let Some(rest) = path.strip_prefix(&folder) else { continue };
            match rest.split_once('/') {
                Some((name, _)) => nodes.insert(name.to_owned(), Kind::Folder),
                None => nodes.insert(rest.to_owned(), kind),
            };
        }
        Ok(nodes.into_iter().map(|(name, kind)| Node { name: name.into(), kind, id: None }).collect())
    }

    fn identify(&self, path: &BStr, _: &Node) -> Result<ContentId, Infallible> {
        let (_, _, content) = self.files().find(|(own, _, _)| own.as_bytes() == path.as_bytes()).unwrap();
        let mut id = [0; 20];
        id.copy_from_slice(&blake3::hash(content).as_bytes()[..20]);
        Ok(ContentId::Sha1(id))
    }

    fn link(&self, path: &BStr, _: &Node) -> Result<BString, Infallible> {
        let (_, _, content) = self.files().find(|(own, _, _)| own.as_bytes() == path.as_bytes()).unwrap();
        Ok(content.into())
    }
}
