//! Git as builds see it, checked against the `git` program.

mod diff;
mod open;
