//! Trust in a repository, compared with the `git` program under the same environment.

use std::fs;
use std::os::unix::fs::{chown, lchown};
use std::path::Path;
use std::process::Command;

use crate::support::dtbuild::{Dtbuild, project};
use crate::support::repo::TestRepo;

/// Gives `path` and all below it to another user. False where only root could.
fn give_away(path: &Path) -> bool {
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
    lchown(path, Some(12345), Some(12345)).is_ok()
}

/// Whether `git` takes the repository of `folder`.
fn git_opens(folder: &Path, variables: &[(&str, &str)]) -> bool {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/nonexistent");
    git.envs(variables.iter().copied()).current_dir(folder).args(["rev-parse", "--verify", "HEAD"]);
    git.output().unwrap().status.success()
}

/// The program in `folder`: whether it previews a build, and what it says.
fn preview(repo: &TestRepo, folder: &Path, variables: &[(&str, &str)]) -> (bool, String) {
    let machine = Dtbuild::new(repo).at(folder);
    let machine = variables.iter().fold(machine, |machine, (name, value)| machine.variable(name, *value));
    let ended = machine.run(["build", "--dry-run"]);
    (ended.code == Some(0), ended.stderr)
}

fn config(values: &[(&'static str, String)]) -> Vec<(String, String)> {
    let mut variables = vec![("GIT_CONFIG_COUNT".to_owned(), values.len().to_string())];
    for (index, (key, value)) in values.iter().enumerate() {
        variables.push((format!("GIT_CONFIG_KEY_{index}"), (*key).to_owned()));
        variables.push((format!("GIT_CONFIG_VALUE_{index}"), value.clone()));
    }
    variables
}

#[test]
fn safe_directory_counts_from_wherever_git_takes_it() {
    let repo = project().commit("first");
    if !give_away(repo.root()) {
        return;
    }
    let root = repo.root().display().to_string();
    let above = repo.root().parent().unwrap().display().to_string();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &str| {
        let path = files.path().join(name);
        fs::write(&path, format!("[safe]\n\tdirectory = {value}\n")).unwrap();
        path.display().to_string()
    };
    fs::write(
        repo.path(".git/config"),
        fs::read_to_string(repo.path(".git/config")).unwrap() + "[safe]\n\tdirectory = *\n",
    )
    .unwrap();
    let included = files.path().join("including");
    fs::write(&included, format!("[include]\n\tpath = {}\n", file("included", &root))).unwrap();

    let safe = |values: &[&str]| {
        let values: Vec<_> = values.iter().map(|value| ("safe.directory", (*value).to_owned())).collect();
        config(&values)
    };
    let one = |name: &str, value: String| vec![(name.to_owned(), value)];
    let cases = [
        ("nothing, though the repository says it of itself", Vec::new(), false),
        ("all", safe(&["*"]), true),
        ("the root", safe(&[&root]), true),
        ("the root with a slash", safe(&[&format!("{root}/")]), true),
        ("the folder above", safe(&[&above]), false),
        ("all in the folder above", safe(&[&format!("{above}/*")]), true),
        ("all below the root", safe(&[&format!("{root}/*")]), false),
        ("here", safe(&["."]), true),
        ("a relative path", safe(&["repo"]), false),
        ("below the home", [one("HOME", above.clone()), safe(&["~/repo"])].concat(), true),
        ("below another home", [one("HOME", "/".to_owned()), safe(&["~/repo"])].concat(), false),
        ("all, taken back", safe(&["*", ""]), false),
        ("taken back, and the root", safe(&["*", "", &root]), true),
        ("another folder", safe(&["/elsewhere"]), false),
        ("a parameter", one("GIT_CONFIG_PARAMETERS", format!("'safe.directory'='{root}'")), true),
        ("a parameter of old", one("GIT_CONFIG_PARAMETERS", "'safe.directory=*'".to_owned()), true),
        ("the global file", one("GIT_CONFIG_GLOBAL", file("global", &root)), true),
        (
            "a file that the global file includes",
            one("GIT_CONFIG_GLOBAL", included.display().to_string()),
            true,
        ),
        (
            "the system's file",
            vec![
                ("GIT_CONFIG_SYSTEM".to_owned(), file("system", "*")),
                ("GIT_CONFIG_NOSYSTEM".to_owned(), "0".to_owned()),
            ],
            true,
        ),
        (
            "the global file, taken back by the environment",
            [one("GIT_CONFIG_GLOBAL", file("all", "*")), safe(&[""])].concat(),
            false,
        ),
        ("the repository is named", one("GIT_DIR", format!("{root}/.git")), true),
    ];
    for (what, variables, expected) in cases {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(git_opens(repo.root(), &variables), expected, "git, {what}");
        let (opens, said) = preview(&repo, repo.root(), &variables);
        assert_eq!(opens, expected, "{what}: {said}");
    }
}

#[test]
fn hint_for_a_repository_of_another_user_names_the_folder_that_git_compares() {
    let repo = project().commit("first");
    if !give_away(repo.root()) {
        return;
    }
    let (opens, said) = preview(&repo, &repo.path("app"), &[]);
    let hint = format!("git config --global --add safe.directory {}`", repo.root().display());
    assert!(!opens && said.contains(&hint), "{said}");
}

#[test]
fn root_is_the_user_who_called_sudo() {
    let repo = project().commit("first");
    if !give_away(repo.root()) {
        return;
    }
    for (caller, expected) in [("12345", true), ("12346", false)] {
        assert_eq!(git_opens(repo.root(), &[("SUDO_UID", caller)]), expected);
        assert_eq!(preview(&repo, repo.root(), &[("SUDO_UID", caller)]).0, expected);
    }
}

#[test]
fn link_and_folder_of_a_checkout_are_asked_for_their_owner() {
    let repo = project().commit("first");
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    repo.git(["worktree", "add", "--quiet", "-b", "other", linked.to_str().unwrap()]);
    assert!(git_opens(&linked, &[]) && preview(&repo, &linked, &[]).0);
    if chown(linked.join(".git"), Some(12345), None).is_err() {
        return;
    }
    assert!(!git_opens(&linked, &[]) && !preview(&repo, &linked, &[]).0);
}

#[test]
fn search_ends_at_a_ceiling() {
    let repo = project().commit("first");
    let (root, above) =
        (repo.root().display().to_string(), repo.root().parent().unwrap().display().to_string());
    let start = repo.path("app").display().to_string();
    let list = format!("{start}:relative:{root}");
    for (ceiling, expected) in [(&root, false), (&above, true), (&start, true), (&list, false)] {
        let variables = [("GIT_CEILING_DIRECTORIES", ceiling.as_str())];
        assert_eq!(git_opens(&repo.path("app"), &variables), expected);
        assert_eq!(preview(&repo, &repo.path("app"), &variables).0, expected);
    }
}

/// A checkout that holds a bare repository whose configuration runs a program that leaves a mark.
fn with_bare_repository(mark: &Path) -> TestRepo {
    let repo = project().commit("first");
    let bare = repo.path("vendor/evil.git");
    repo.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let run = format!("touch {}", mark.display());
    let set = |key: &str, value: &str| {
        repo.git(["--git-dir", bare.to_str().unwrap(), "config", key, value]);
    };
    set("core.bare", "false");
    set("core.worktree", repo.path("vendor/evil.git").to_str().unwrap());
    set("core.fsmonitor", &run);
    set("core.sshCommand", &run);
    set("filter.evil.clean", &run);
    let config = fs::read(repo.path("build.toml")).unwrap();
    repo.file("vendor/evil.git/build.toml", config)
        .file("vendor/evil.git/app/Dockerfile", "FROM scratch\nCOPY . /\n")
        .file("vendor/evil.git/.gitattributes", "* filter=evil\n")
}

#[test]
fn bare_repository_inside_of_a_checkout_is_used_only_where_it_is_named() {
    let place = tempfile::tempdir().unwrap();
    let mark = place.path().join("mark");
    let repo = with_bare_repository(&mark);
    let bare = repo.path("vendor/evil.git");
    let explicit: Vec<_> = config(&[("safe.bareRepository", "explicit".to_owned())]);
    let explicit: Vec<_> = explicit.iter().map(|(name, value)| (&**name, &**value)).collect();
    for folder in [bare.clone(), bare.join("app")] {
        assert!(!git_opens(&folder, &explicit));
        let (opens, said) = preview(&repo, &folder, &[]);
        assert!(!opens && said.contains("is a bare repository inside the checkout"), "{said}");
        assert!(said.contains(&format!("GIT_DIR={}", bare.display())), "{said}");
        assert!(!mark.exists(), "it ran a program");
    }
    let named = [("GIT_DIR", bare.to_str().unwrap())];
    assert!(git_opens(&bare, &named));
    assert!(
        !preview(&repo, &bare, &named).1.contains("is a bare repository"),
        "it is used where it is named"
    );
}

#[test]
fn bare_repository_of_its_own_is_used_unless_the_user_says_otherwise() {
    let repo = project().commit("first");
    let bare = repo.cloned(&["--bare"]);
    let explicit = config(&[("safe.bareRepository", "explicit".to_owned())]);
    let explicit: Vec<_> = explicit.iter().map(|(name, value)| (&**name, &**value)).collect();
    let plan = |variables: &[(&str, &str)]| {
        let machine = Dtbuild::new(&bare);
        let machine = variables.iter().fold(machine, |machine, (name, value)| machine.variable(name, *value));
        machine.run(["plan", "--env", "staging", "--offline"]).stderr
    };
    assert!(git_opens(bare.root(), &[]) && !plan(&[]).contains("bare repository"), "{}", plan(&[]));
    assert!(
        !git_opens(bare.root(), &explicit) && plan(&explicit).contains("is a bare repository"),
        "{}",
        plan(&explicit)
    );
    // The git folder of a checkout is none.
    let git_folder = repo.path(".git");
    assert!(git_opens(&git_folder, &explicit));
    assert!(!preview(&repo, &git_folder, &explicit).1.contains("is a bare repository"));
}
