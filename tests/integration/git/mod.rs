//! Git as builds see it, checked against the `git` program.

mod changes;
mod commit_tree;
mod conversions;
mod diff;
mod dockerignore;
mod dot_git;
mod environment;
mod fetch;
mod filters;
mod input_trees;
mod lfs;
mod odd_paths;
mod open;
mod remembered;
mod submodules;
mod trust;
mod trusted_index;
mod unreadable;
mod working_tree;
