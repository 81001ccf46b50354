//! The house keeps its order: which room of `src` may import which.
//!
//! A room is a file or folder directly below `src`. Imports run downwards in [`ROOMS`] alone, so there is no circle
//! between rooms; edges do not import each other; nothing below the commands knows the command line.

#![expect(clippy::unwrap_used, reason = "a test")]

mod imports;

use std::collections::{BTreeMap, BTreeSet};

use imports::{Import, imports};

/// The rooms from the top floor down. Those of one line may not import each other.
const ROOMS: &[&[&str]] = &[
    &["main"],
    &["commands"],
    &["cli"],
    &["doctor"],
    &["ui"],
    &["release"],
    &["gather"],
    &["execute"],
    &["clients"],
    &["workspace"],
    EDGES,
    &["http", "credentials"],
    &["process"],
    &["docker_config"],
    &["events"],
    &["plan"],
    &["config"],
    &["dockerfile", "changed", "reference"],
    &["inert", "loopback", "parallel", "platform", "random", "suggestion", "text"],
    &["error"],
];

/// The rooms that reach out of the process: repositories, engines, registries, records, deployments.
const EDGES: &[&str] = &["deploy", "engine", "git", "record", "registry"];

/// Rooms that never touch the outside: values and pure functions.
const CORE: &[&str] = &[
    "plan",
    "config",
    "dockerfile",
    "events",
    "changed",
    "reference",
    "text",
    "inert",
    "loopback",
    "suggestion",
    "error",
];

fn floor(room: &str) -> usize {
    let found = ROOMS.iter().position(|floor| floor.contains(&room));
    found.unwrap_or_else(|| panic!("the room `{room}` has no floor: add it to ROOMS in tests/house/main.rs"))
}

fn told(import: &Import) -> String {
    let Import { file, line, to, .. } = import;
    format!("{file}:{line} imports crate::{}", to.join("::"))
}

#[test]
fn imports_run_downwards() {
    let upwards = |import: &Import| {
        let (from, to) = (import.room(), import.named_room());
        from != to && floor(&from) >= floor(&to)
    };
    let wrong: Vec<String> = imports().iter().filter(|import| upwards(import)).map(told).collect();
    assert!(wrong.is_empty(), "against the grain:\n{}", wrong.join("\n"));
}

#[test]
fn commands_are_imported_by_main_alone() {
    let of_commands = |import: &&Import| import.named_room() == "commands" && import.room() != "commands";
    let wrong: Vec<String> =
        imports().iter().filter(of_commands).filter(|import| import.room() != "main").map(told).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_below_the_commands_names_the_command_line() {
    let knows = |import: &Import| import.names("clap") || import.named_room() == "cli";
    let above = ["main", "commands", "cli"];
    let below = |import: &&Import| !above.contains(&import.room().as_str());
    let wrong: Vec<String> =
        imports().iter().filter(below).filter(|import| knows(import)).map(told).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_imports_no_edge_and_edges_not_each_other() {
    let wrong = |import: &Import| {
        let (from, to) = (import.room(), import.named_room());
        let from = from.as_str();
        from != to && EDGES.contains(&to.as_str()) && (CORE.contains(&from) || EDGES.contains(&from))
    };
    let wrong: Vec<String> = imports().iter().filter(|import| wrong(import)).map(told).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_is_no_circle_between_folders() {
    let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for import in imports() {
        // Folders of the same parent: a folder and what is in it belong together.
        if let Some((from, to)) = import.folders() {
            below.entry(from).or_default().insert(to);
        }
    }
    for start in below.keys() {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(folder) = open.pop() {
            for next in below.get(folder).into_iter().flatten() {
                assert_ne!(next, start, "a circle of folders leads from {start} through {folder} back to it");
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
}
