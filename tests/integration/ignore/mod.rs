//! `.dockerignore` against Docker's own clients: random ignore files and folders, what of them arrives in a real
//! build, and what [`Rules`] leave of them.
//!
//! In a session it is the client that filters, so the client is what [`Rules`] are compared with: Debian sid's
//! `docker-buildx`, with Docker 28. The client of Docker 20.10 has an older matcher: where an exception makes it look
//! inside an excluded folder, it sends that folder even if nothing in it is included, and forgets that a pattern with
//! `**` matched the folder, so that it sends more of what is below. It only takes part in what is refused.
//!
//! Names that are not UTF-8 are left out: Docker 28 refuses a context that holds one.
//!
//! `IGNORE_PAIRS` says how many pairs of a pattern and a path are tried (100,000 when not set), `IGNORE_SEED` from
//! where numbers start.
#![expect(clippy::print_stdout, reason = "the figures are what the tests are for")]

use std::collections::BTreeSet;

use bstr::BString;
use dtbuild_content::ignore::{Reason, Rules};

use self::client::Client;
use self::generate::{Case, Generator};
use crate::oracle::number;
use crate::support::dtbuild::{Dtbuild, project};

mod client;
mod generate;

#[test]
fn rules_leave_what_buildx_sends() {
    compare(&Client::buildx());
}

#[test]
fn rules_refuse_what_the_machine_s_own_client_refuses() {
    refuse(&Client::docker());
}

#[test]
fn rules_refuse_what_buildx_refuses() {
    refuse(&Client::buildx());
}

/// Tries random cases until there were enough of them.
fn compare(client: &Client) {
    let (wanted, seed) = (number("IGNORE_PAIRS", 100_000), number("IGNORE_SEED", 1) as u64);
    let mut generator = Generator::new(seed);
    let (mut tried, mut paths, mut left, mut builds) = (0, 0, 0, 0);
    while tried < wanted {
        let case = generator.case();
        match client.arrives(&case) {
            Ok(arrived) if arrived == case.left() => left += arrived.len(),
            _ => panic!("{client} and the rules differ (seed {seed}):\n{}", smallest(client, case)),
        }
        tried += case.pairs();
        paths += case.len();
        builds += 1;
    }
    println!(
        "{client}, seed {seed}: {tried} pairs of a pattern and a path in {builds} builds, 0 differences; \
         {left} of {paths} files and folders arrived"
    );
    assert!(left * 10 > paths && left * 10 < paths * 9, "the rules must tell paths apart");
}

/// What is left of a case that differs when all is taken away without which it differs too.
fn smallest(client: &Client, mut case: Case) -> String {
    let differs = |case: &Case| client.arrives(case).ok().is_none_or(|arrived| arrived != case.left());
    let mut chunk = case.patterns().max(case.len()).div_ceil(2);
    loop {
        let mut smaller = case.parts(chunk).find(&differs);
        while let Some(found) = smaller {
            case = found;
            smaller = case.parts(chunk).find(&differs);
        }
        if chunk == 1 {
            break;
        }
        chunk = chunk.div_ceil(2);
    }
    let arrived = match client.arrives(&case) {
        Ok(arrived) => show(&arrived),
        Err(error) => error,
    };
    format!("{case}\narrived: {arrived}\nby the rules: {}", show(&case.left()))
}

fn show(paths: &BTreeSet<BString>) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" ")
}

/// Each pattern alone: neither the rules nor the client take it.
fn refuse(client: &Client) {
    let refused =
        ["[", "a[", "[]a]", "[^]", "[a-", "a\\", "!", " ! ", "!/", "x*[", "a*{2}", "a{3,2}*", "[z-a]"];
    for pattern in refused {
        let reason = Rules::parse(pattern.as_bytes()).expect_err(pattern).reason;
        assert!(!matches!(reason, Reason::TooLong | Reason::TooLarge), "{pattern}: {reason}");
        let case = Case::new(pattern, &["a", "x/b", "[", "."]);
        assert!(client.arrives(&case).is_err(), "{client} takes `{pattern}`");
    }
}

#[test]
fn ignore_file_beside_the_dockerfile_comes_first() {
    let client = Client::docker();
    let case = Case::new("a", &["a", "b"]);
    let own = client.arrives_beside("b", &case).expect("it builds");
    assert_eq!(own, BTreeSet::from(["a".into(), ".dockerignore".into()]));
}

/// The rules are those of the file that the link leads to, to both clients and their frontends, of a commit and of the
/// disk; a link to nowhere is no rules.
#[test]
fn ignore_file_that_is_a_link_is_what_it_leads_to() {
    for (target, ignored) in [("rules/ignore", true), ("nowhere", false)] {
        let repo = project()
            .file("app/rules/ignore", "greeting.txt\n")
            .link("app/.dockerignore", target)
            .commit("x");
        for client in [Client::docker(), Client::buildx()] {
            let arrived = client.build_from(&repo.path("app"), None).expect("it builds");
            assert!(arrived.contains(&BString::from("Dockerfile")), "{client}");
            assert_eq!(!arrived.contains(&BString::from("greeting.txt")), ignored, "{client}, {target}");
        }
        let dtbuild = Dtbuild::new(&repo);
        for files in [&["inputs", "app"][..], &["inputs", "app", "--disk"]] {
            let listed = dtbuild.run(files).succeeds();
            assert_eq!(!listed.stdout.contains("greeting.txt"), ignored, "{target}: {}", listed.stdout);
        }
    }
}
