//! Git as builds see it, checked against the `git` program.

mod changes;
mod clean;
mod commit_tree;
mod conversions;
mod diff;
mod fetch;
mod filters;
mod lfs;
mod noted;
mod odd_paths;
mod open;
mod rules;
mod sides;
mod submodules;
mod working_tree;
