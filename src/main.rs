//! The `dtbuild` program.

fn main() {}
