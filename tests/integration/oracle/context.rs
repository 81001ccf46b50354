//! A case's context as the library sees it: what is sent to a build, and what most likely cannot be built.
//! Start with [`Context`].

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild::dockerfile::{Dockerfile, Options, SourceKind};
use dtbuild_content::ignore::Rules;
use dtbuild_content::sources::{Reading, Selection, Source};
use dtbuild_content::tree::{ContentId, Kind, Node, Tree, walk};

use super::case::{Case, Leaf};

/// A case's context, as a tree.
pub(super) struct Context(BTreeMap<String, Leaf>);

/// The rules of a case's `.dockerignore`.
fn rules(case: &Case) -> Rules {
    Rules::parse(case.ignore_text().unwrap_or_default().as_bytes()).unwrap()
}

/// What of the case's context is sent to a build: folders have no content.
pub(super) fn sent(case: &Case) -> BTreeMap<String, Leaf> {
    let (context, mut sent) = (Context::of(case), BTreeMap::new());
    walk(&context, &rules(case), |path, node| {
        let path = path.to_string();
        let text = context.0.get(&path).map(|(_, text)| text.clone()).unwrap_or_default();
        sent.insert(path, (node.kind, text));
        Ok(())
    })
    .unwrap();
    sent
}

/// Whether the program most likely refuses the case, or the engine cannot build it: a source is not there.
///
/// This only saves runs of both; what they say is what counts.
pub(super) fn seems_broken(case: &Case) -> bool {
    let (arguments, none) = (case.named_arguments(), BTreeSet::new());
    let target = case.target_name();
    let options = Options {
        target: Some(&target),
        args: &arguments,
        platform: "linux/amd64",
        build_platform: "linux/amd64",
        images: &none,
        contexts: &BTreeMap::new(),
        bases: &BTreeMap::new(),
        built: &BTreeMap::new(),
    };
    let analysis = Dockerfile::parse(case.dockerfile().as_bytes()).unwrap().analyse(&options).unwrap();
    let (context, rules) = (Context::of(case), rules(case));
    // What only older frontends read need not be there.
    let read = analysis.inputs.sources.iter().filter(|source| source.before.is_none());
    read.into_iter().any(|source| {
        let reading = match source.kind {
            SourceKind::Copy => Reading::Wildcards,
            SourceKind::Parents => Reading::Parents,
            SourceKind::Mount => Reading::Literal,
        };
        let source = Source { path: source.path.clone(), reading };
        let selection = Selection::find(&context, std::slice::from_ref(&source)).unwrap();
        let ignored = selection.plain().any(|(_, mut paths)| paths.any(|path| rules.takes_all(path)));
        let missing = selection.missing().next().is_some();
        ignored || missing || (selection.plain().next().is_some() && context.ends_nowhere(&source.path))
    })
}

impl Context {
    pub(super) fn of(case: &Case) -> Self {
        let own = format!("{}/", case.name);
        let inside = |(path, leaf): (String, Leaf)| Some((path.strip_prefix(&own)?.to_owned(), leaf));
        Self(case.files().into_iter().filter_map(inside).collect())
    }

    /// Whether links lead from `path` to what is not there.
    fn ends_nowhere(&self, path: &str) -> bool {
        let mut open: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut at: Vec<String> = Vec::new();
        for _ in 0..100 {
            let Some(name) = open.pop() else { return false };
            match name.as_str() {
                "" | "." => {}
                ".." => drop(at.pop()),
                _ => at.push(name),
            }
            let here = at.join("/");
            match self.0.get(&here) {
                Some((Kind::Symlink, text)) => {
                    at.pop();
                    open.extend(text.split('/').rev().map(str::to_owned));
                }
                Some(_) => return !open.is_empty(),
                None if here.is_empty() => {}
                None => {
                    let inside = format!("{here}/");
                    if !self.0.keys().any(|path| path.starts_with(&inside)) {
                        return true;
                    }
                }
            }
        }
        true
    }
}

impl Tree for Context {
    type Error = Infallible;

    fn hash_kind(&self) -> gix::hash::Kind {
        gix::hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, Infallible> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut nodes = BTreeMap::new();
        for (path, (kind, _)) in &self.0 {
            let Some(rest) = path.strip_prefix(&folder) else { continue };
            match rest.split_once('/') {
                Some((name, _)) => nodes.insert(name, Kind::Folder),
                None => nodes.insert(rest, *kind),
            };
        }
        let node = |(name, kind): (&str, Kind)| Node { name: BString::from(name), kind, id: None };
        Ok(nodes.into_iter().map(node).collect())
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, Infallible> {
        let bytes = blake3::hash(self.link(path, node)?.as_slice());
        Ok(ContentId::from_bytes_or_panic(&bytes.as_bytes()[..20]))
    }

    fn link(&self, path: &BStr, _: &Node) -> Result<BString, Infallible> {
        Ok(self.0[path.to_str().unwrap()].1.as_str().into())
    }
}
