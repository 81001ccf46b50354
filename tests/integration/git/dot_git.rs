//! A `.git` that a Dockerfile wants: it is never sent, which is said at the line.

use crate::support::dtbuild::{Dtbuild, Ended, project};
use crate::support::repo::TestRepo;

fn refused(ended: &Ended, line: &str) {
    let said = &ended.stderr;
    assert_eq!(ended.code, Some(2), "{said}");
    assert!(said.contains(line) && said.contains("never sent to a build"), "{line}: {said}");
    assert!(said.contains("`args`"), "{said}");
}

fn with(instruction: &str) -> TestRepo {
    project()
        .file("app/Dockerfile", format!("FROM scratch\nCOPY greeting.txt /\n{instruction}\n"))
        .commit("first")
}

#[test]
fn sources_in_a_repository_are_refused_at_their_line() {
    for instruction in [
        "RUN --mount=type=bind,source=.git,target=/src/.git [\"true\"]",
        "RUN --mount=source=.git/HEAD,target=/head [\"true\"]",
        "COPY .git /src/.git",
        "COPY greeting.txt .git/refs /src/",
        "ADD ./.git/ /src/",
        "COPY lib/.git /src/",
    ] {
        // A checkout of its own, and the context's root is not that of the repository.
        let repo = with(instruction);
        repo.git(["init", "--quiet", "app/lib"]);
        for arguments in [&["build", "--dry-run"][..], &["plan", "--env", "staging"]] {
            refused(&Dtbuild::new(&repo).run(arguments.iter().copied()), "app/Dockerfile:3");
        }
    }
}

#[test]
fn link_file_of_a_work_tree_is_refused_as_well() {
    let repo = with("COPY .git /src/.git");
    let config = repo.path("build.toml");
    let text = std::fs::read_to_string(&config)
        .unwrap()
        .replace("context = \"app\"", "context = \".\"\ndockerfile = \"app/Dockerfile\"");
    let repo = repo.file("build.toml", text).file("greeting.txt", "1").commit("second");
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    repo.git(["worktree", "add", "--quiet", "-b", "other", linked.to_str().unwrap()]);
    assert!(linked.join(".git").is_file());
    for folder in [repo.root(), &linked] {
        refused(&Dtbuild::new(&repo).at(folder).run(["build", "--dry-run"]), "app/Dockerfile:3");
    }
}

#[test]
fn repository_of_another_stage_is_none_of_the_context() {
    let repo = project().file(
        "app/Dockerfile",
        "FROM scratch AS one\nCOPY . /.git/\nFROM scratch\nCOPY --from=one /.git /\n",
    );
    let ended = Dtbuild::new(&repo.commit("first")).run(["build", "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
