//! Git attributes and the filters that they name, by which a checkout has other bytes than git stores. Start with
//! [`Drivers`], the configured filters.

use bstr::BStr;
use gix::attrs::search::Outcome;
use gix::attrs::{Search, StateRef};
use gix::glob::pattern::Case;

use super::lfs;

/// The name of attribute files.
pub(super) const FILE: &str = ".gitattributes";

/// The attribute that names a filter.
pub(super) const FILTER: &str = "filter";

/// The attributes by which a checkout may hold other bytes than git stores, but the same number of bytes.
pub(super) const CONVERSIONS: [&str; 3] = [FILTER, "ident", "working-tree-encoding"];

/// The names of the configured filters that change files on checkout.
///
/// Git LFS is left out: its files are read without its program.
#[derive(Clone, Default)]
pub(super) struct Drivers(Vec<String>);

impl Drivers {
    pub(super) fn of(repository: &gix::Repository) -> Self {
        Self(active(repository, &["smudge", "process"]))
    }

    /// True if the configuration has a filter that changes files on checkout or when git stores them.
    pub(super) fn any(repository: &gix::Repository) -> bool {
        !active(repository, &["smudge", "clean", "process"]).is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the filter `name` changes files on checkout.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|driver| driver == name)
    }
}

/// The names of the filters that run a program for one of `keys`.
fn active(repository: &gix::Repository, keys: &[&str]) -> Vec<String> {
    let config = repository.config_snapshot();
    let sections = config.plumbing().sections_by_name(FILTER).into_iter().flatten();
    let active = sections.filter_map(|section| {
        let name = section.header().subsection_name()?.to_string();
        let programs = keys.iter().filter_map(|key| section.value(key));
        let runs = programs.into_iter().any(|program| !program.is_empty() && program != "cat");
        (runs && name != lfs::FILTER).then_some(name)
    });
    active.collect()
}

/// The name of the filter that attributes give the file at `path`; the first of `searches` takes precedence.
///
/// `outcome` must be new, and initialized for [`FILTER`] alone.
pub(super) fn filter<'o, 's>(
    searches: impl IntoIterator<Item = &'s Search>,
    path: &BStr,
    case: Case,
    outcome: &'o mut Outcome,
) -> Option<&'o BStr> {
    look_up(searches, path, case, outcome);
    outcome.iter_selected().find_map(|found| match found.assignment.state {
        StateRef::Value(value) => Some(value.as_bstr()),
        _ => None,
    })
}

/// True if the file at `path` has an attribute of [`CONVERSIONS`]; the first of `searches` takes precedence.
///
/// `outcome` must be new, and initialized for [`CONVERSIONS`].
pub(super) fn converts<'s>(
    searches: impl IntoIterator<Item = &'s Search>,
    path: &BStr,
    case: Case,
    outcome: &mut Outcome,
) -> bool {
    look_up(searches, path, case, outcome);
    outcome.iter_selected().any(|found| matches!(found.assignment.state, StateRef::Set | StateRef::Value(_)))
}

fn look_up<'s>(
    searches: impl IntoIterator<Item = &'s Search>,
    path: &BStr,
    case: Case,
    outcome: &mut Outcome,
) {
    for search in searches {
        search.pattern_matching_relative_path(path, case, Some(false), outcome);
        if outcome.is_done() {
            break;
        }
    }
}
