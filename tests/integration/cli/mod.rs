//! The program `dtbuild`, run in real repositories: what it promises to its users, a file per promise.

mod bad_input;
mod bases;
mod causes;
mod comparison;
mod contexts;
mod credentials;
mod disk;
mod doctor;
mod fetched;
mod globs;
mod keys;
mod lock;
mod lost_bases;
mod own_names;
mod plan;
mod remembered;
mod schemas;
mod stack;
mod standing;
