//! Git as builds see it, checked against the `git` program.

mod changes;
mod commit_tree;
mod diff;
mod filters;
mod open;
mod rules;
mod working_tree;
