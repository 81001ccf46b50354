//! Any bytes as an ignore file, and paths: what a walk leaves, what a path alone is told, and what moby's matcher
//! is described to do, must be one; and no text may hang or panic.
//!
//! `cargo +nightly fuzz run dockerignore`. The input is a file, and after each zero byte a path.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use bstr::{BStr, BString, ByteSlice};
use dtbuild_content::ignore::{Reason, Rules};
use dtbuild_content::tree::{ContentId, Kind, Node, Tree, walk};
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "the target compares the two forms of a pattern")]
#[path = "../../cache/src/ignore/automaton.rs"]
mod automaton;
#[path = "../../cache/src/ignore/classes.rs"]
mod classes;
#[path = "../../cache/src/ignore/lines.rs"]
mod lines;
#[path = "../../cache/src/ignore/program.rs"]
mod program;
#[path = "../../cache/src/ignore/syntax.rs"]
mod syntax;
#[expect(dead_code, reason = "the target compares the two forms of a pattern")]
#[path = "../../cache/src/ignore/translate.rs"]
mod translate;

/// What `lines` needs of the module that it is taken out of.
struct IgnoreError;

impl IgnoreError {
    fn new(_: usize, _: &[u8], _: Reason) -> Self {
        Self
    }
}

/// One pattern, as it is described: an expression that is asked about whole paths.
struct Pattern {
    exception: bool,
    text: BString,
    program: program::Program,
}

impl Pattern {
    fn matches(&self, path: &[u8]) -> bool {
        self.program.accepts(&self.program.read(&self.program.start(), path))
    }
}

/// moby's `MatchesUsingParentResults`, and fsutil's walk around it.
struct Described(Vec<Pattern>);

impl Described {
    fn read(text: &[u8]) -> Option<Self> {
        let pattern = |line: lines::Line| {
            let program = translate::program(&line.pattern).ok()?;
            Some(Pattern { exception: line.exception, text: line.pattern, program })
        };
        lines::read(text).ok()?.into_iter().map(pattern).collect::<Option<_>>().map(Self)
    }

    fn excludes(&self, path: &[u8]) -> bool {
        let mut above = vec![false; self.0.len()];
        let mut excluded = false;
        for end in path.find_iter("/").chain([path.len()]) {
            let part = &path[..end];
            excluded = false;
            for (pattern, matched) in self.0.iter().zip(&mut above) {
                *matched |= pattern.exception == excluded && pattern.matches(part);
                if *matched {
                    excluded = !pattern.exception;
                }
            }
            if excluded && end < path.len() && self.passes_by(part) {
                return true;
            }
        }
        excluded
    }

    /// Whether a walk does not enter the excluded `folder`.
    fn passes_by(&self, folder: &[u8]) -> bool {
        let exceptions = self.0.iter().filter(|pattern| pattern.exception);
        let plain = |text: &BString| {
            let text = text.strip_suffix(b"/**").unwrap_or(text);
            text.strip_suffix(b"/*").unwrap_or(text).to_vec()
        };
        let exceptions: Vec<Vec<u8>> = exceptions.map(|pattern| plain(&pattern.text)).collect();
        let inside = [folder, b"/"].concat();
        exceptions.iter().all(|text| text.find_byteset(r"*[]?^\").is_none())
            && !exceptions.iter().any(|text| [text, &b"/"[..]].concat().starts_with(&inside))
    }
}

/// A context of these files.
struct Context(BTreeMap<BString, BTreeMap<BString, Kind>>);

impl Context {
    /// A path below a file or above one is left out.
    fn new(paths: &BTreeSet<BString>) -> Self {
        let mut folders: BTreeMap<BString, BTreeMap<BString, Kind>> =
            BTreeMap::from([(BString::default(), BTreeMap::new())]);
        'paths: for path in paths {
            for end in path.find_iter("/") {
                let (folder, name) = split(&path[..end]);
                if *folders.entry(folder).or_default().entry(name).or_insert(Kind::Folder) != Kind::Folder {
                    continue 'paths;
                }
            }
            let (folder, name) = split(path);
            folders.entry(folder).or_default().entry(name).or_insert(Kind::File);
        }
        Self(folders)
    }
}

fn split(path: &[u8]) -> (BString, BString) {
    match path.rfind_byte(b'/') {
        Some(slash) => (path[..slash].into(), path[slash + 1..].into()),
        None => (BString::default(), path.into()),
    }
}

impl Tree for Context {
    type Error = Infallible;

    fn hash_kind(&self) -> gix_hash::Kind {
        gix_hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, Infallible> {
        let names = self.0.get(path).into_iter().flatten();
        Ok(names.map(|(name, kind)| Node { name: name.clone(), kind: *kind, id: None }).collect())
    }

    fn identify(&self, _: &BStr, _: &Node) -> Result<ContentId, Infallible> {
        Ok(ContentId::null(gix_hash::Kind::Sha1))
    }

    fn link(&self, _: &BStr, _: &Node) -> Result<BString, Infallible> {
        Ok(BString::default())
    }
}

/// A path that a context can have, out of any bytes.
fn path(bytes: &[u8]) -> Option<BString> {
    let names = bytes.split_str("/").filter(|name| !matches!(*name, b"" | b"." | b".."));
    Some(bstr::join("/", names).into()).filter(|path: &BString| !path.is_empty())
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let Ok(rules) = Rules::parse(text) else { return };
    let paths: BTreeSet<BString> = parts.filter_map(path).take(40).collect();
    let described = Described::read(text).expect("rules that were read once are read again");

    let context = Context::new(&paths);
    let mut left = BTreeSet::new();
    let visit = |path: &BStr, node: &Node| {
        if node.kind == Kind::File {
            left.insert(path.to_owned());
        }
        Ok(())
    };
    walk(&context, &rules, visit).expect("the context can be read");

    let files = paths.iter().filter(|path| {
        let (folder, name) = split(path);
        context.0.get(&folder).and_then(|names| names.get(&name)) == Some(&Kind::File)
    });
    for (number, path) in files.enumerate() {
        let excluded = described.excludes(path);
        assert_eq!(rules.matches(path.as_ref()), excluded, "`{path}` alone");
        assert_eq!(!left.contains(path), excluded, "`{path}` by a walk");
        assert!(excluded || !rules.takes_all(path.as_ref()), "`{path}` as a whole");
        // It reads the file again for every line of it, which is for messages and takes long.
        if number == 0 && text.find_iter("\n").count() < 10 {
            assert_eq!(rules.line(text, path.as_ref()).is_some(), excluded, "the line of `{path}`");
        }
    }
});
