//! Which changes give an image another key, and what `inputs` and `explain` say of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use dtbuild::record::{DeployedImage, Deployment, Folder, Outcome, Records};
use serde_json::Value;
use time::OffsetDateTime;

use crate::support::repo::TestRepo;

/// A repository with the images `api` (context `api`), and `web` (context: all of it).
struct Project {
    repo: TestRepo,
    registry: String,
    /// The keys of HEAD, where they are known.
    keys: Option<BTreeMap<String, String>>,
}

/// A plan of HEAD that asks nobody.
const PLAN: [&str; 4] = ["plan", "--env", "staging", "--force"];

/// What a run of the program printed.
struct Said {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl Project {
    fn new(api: &str, files: &[(&str, &str)]) -> Self {
        let registry = empty_registry();
        let toml = format!(
            "[project]\nname = \"p\"\nregistry = \"{registry}/p\"\n\n\
             [images.api]\ncontext = \"api\"\nplatforms = [\"linux/amd64\"]\n\n\
             [images.web]\ncontext = \".\"\ndockerfile = \"web/Dockerfile\"\nplatforms = [\"linux/amd64\"]\n\n\
             [environments.staging]\nbranch = \"main\"\n\n[records]\nfolder = \".dtbuild/records\"\n"
        );
        let mut repo = TestRepo::new().file("build.toml", toml).file("api/Dockerfile", api);
        repo = repo.file("web/Dockerfile", "FROM scratch\nCOPY web/pages shared* /\n");
        repo = repo.file("web/pages/index.html", "<html>").file("api/README.md", "read me");
        for (path, content) in files {
            repo = match content.strip_prefix("-> ") {
                Some(target) => repo.link(path, target),
                None => repo.file(path, content),
            };
        }
        Self { repo: repo.commit("first"), registry, keys: None }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtbuild"));
        command.args(arguments).current_dir(self.repo.root()).env_remove("DTBUILD_REGISTRY");
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.errors);
        serde_json::from_str(&said.out).unwrap()
    }

    /// The images of a plan that asks nobody.
    fn plan(&self, arguments: &[&str]) -> Vec<Value> {
        self.json(arguments)["images"].as_array().unwrap().clone()
    }

    fn keys(&self, arguments: &[&str]) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.plan(arguments).iter().map(|image| (text(&image["name"]), text(&image["key"]))).collect()
    }

    fn inputs(&self, arguments: &[&str]) -> (Vec<String>, String) {
        let inputs = self.json(&[&["inputs"], arguments].concat());
        let path = |input: &Value| input["path"].as_str().unwrap().to_owned();
        let paths = inputs["inputs"].as_array().unwrap().iter().map(path).collect();
        (paths, inputs["digest"].as_str().unwrap().to_owned())
    }

    /// The images whose keys `change` alters. The files on the disk and their commit must agree.
    fn altered(&mut self, change: impl FnOnce(TestRepo) -> TestRepo) -> Vec<String> {
        let before = self.keys.take().unwrap_or_else(|| self.keys(&PLAN));
        self.change(change);
        let on_disk = self.keys(&["build", "--dry-run", "--force"]);
        self.change(|repo| repo.commit("change"));
        let after = self.keys(&PLAN);
        assert_eq!(on_disk, after, "the working tree and the commit");
        self.keys = Some(after.clone());
        before.into_iter().filter(|(image, key)| after[image] != *key).map(|(image, _)| image).collect()
    }

    fn change(&mut self, change: impl FnOnce(TestRepo) -> TestRepo) {
        self.repo = change(std::mem::replace(&mut self.repo, TestRepo::new()));
    }

    /// Records that `staging` runs HEAD.
    fn deployed(&self) {
        let image = |image: &Value| {
            let digest = format!("sha256:{}", "0f".repeat(32));
            let name = image["name"].as_str().unwrap();
            let deployed = DeployedImage {
                reference: format!("{}/p/{name}@{digest}", self.registry).parse().unwrap(),
                key: serde_json::from_value(image["key"].clone()).unwrap(),
                fields: Some(serde_json::from_value(image["fields"].clone()).unwrap()),
                commit: None,
            };
            (name.parse().unwrap(), deployed)
        };
        let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let deployment = Deployment {
            id: Deployment::name(now),
            generation: 0,
            commit: Some(self.repo.head()),
            started: now,
            finished: Some(now),
            outcome: Outcome::Succeeded,
            images: self.plan(&PLAN).iter().map(image).collect(),
            deploy: None,
            deploy_inputs: None,
            deploy_settings: None,
            again: None,
            by: "0.1.0".to_owned(),
        };
        let folder = Folder::new(self.repo.root().join(".dtbuild/records"));
        let store = Records::new(Arc::new(folder), "p");
        let environment = "staging".parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut lease =
                store.take(&environment, Duration::from_mins(1), Duration::ZERO, |_| ()).await.unwrap();
            lease.finish(|record| record.add(deployment.clone())).await.unwrap();
        });
        fs::write(self.repo.path(".git/info/exclude"), ".dtbuild\n").unwrap();
    }
}

/// A registry that has nothing.
fn empty_registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn only_what_is_read_alters_the_key() {
    let dockerfile = "FROM scratch AS unused\nCOPY extra /\nFROM scratch\nCOPY src/ ./\nADD *.json /\n";
    let files = [
        ("api/src/a", "1"),
        ("api/extra/a", "1"),
        ("api/a.json", "1"),
        ("web/pages/a", "1"),
        ("shared.txt", "1"),
        ("api/dist/a", "1"),
    ];
    let mut project = Project::new(dockerfile, &files);
    let none: [&str; 0] = [];
    assert_eq!(project.altered(|repo| repo.file("api/README.md", "other")), none);
    assert_eq!(project.altered(|repo| repo.file("api/beside", "new").file("LICENSE", "new")), none);
    assert_eq!(project.altered(|repo| repo.file("api/extra/a", "2").remove("api/dist")), none);
    assert_eq!(project.altered(|repo| repo.file("api/src/a", "2")), ["api"]);
    assert_eq!(project.altered(|repo| repo.executable("api/src/a", "2")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/src/deep/b", "new")), ["api"]);
    assert_eq!(project.altered(|repo| repo.remove("api/src/a")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/b.json", "new")), ["api"]);
    assert_eq!(project.altered(|repo| repo.remove("api/a.json")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("web/pages/a", "2")), ["web"]);
    assert_eq!(project.altered(|repo| repo.file("shared2.txt", "new")), ["web"]);
    // An ignore file that ignores nothing that is read.
    assert_eq!(project.altered(|repo| repo.file("api/.dockerignore", "*.md\n")), none);
    assert_eq!(project.altered(|repo| repo.file("api/.dockerignore", "src/deep\n")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/src/deep/b", "2")), none);
}

#[test]
fn links_are_followed_to_what_they_lead_to() {
    let dockerfile = "FROM scratch\nCOPY current/app file /\n";
    let files = [
        ("api/current", "-> v1"),
        ("api/v1/app", "1"),
        ("api/v1/other", "1"),
        ("api/v2/app", "2"),
        ("api/file", "-> data/real"),
        ("api/data/real", "1"),
        ("api/data/unread", "1"),
    ];
    let mut project = Project::new(dockerfile, &files);
    let (paths, _) = project.inputs(&["api"]);
    assert_eq!(paths, ["api/current", "api/data/real", "api/file", "api/v1/app"]);
    let none: [&str; 0] = [];
    assert_eq!(project.altered(|repo| repo.file("api/data/real", "2")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/v1/app", "2")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/v1/other", "2").file("api/data/unread", "2")), none);
    assert_eq!(project.altered(|repo| repo.file("api/v2/app", "3")), none);
    assert_eq!(project.altered(|repo| repo.remove("api/current").link("api/current", "v2")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/v2/app", "4")), ["api"]);
}

#[test]
fn mounts_and_whole_contexts_are_inputs() {
    let dockerfile = "FROM scratch\nRUN --mount=type=bind,source=lib,target=/lib [\"/x\"]\n";
    let mut project = Project::new(dockerfile, &[("api/lib/a", "1"), ("api/other", "1")]);
    assert_eq!(project.altered(|repo| repo.file("api/lib/a", "2")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/other", "2")), [""; 0]);
    let none = project.altered(|repo| repo.file("api/Dockerfile", "FROM scratch\nENV A=1\n"));
    assert_eq!(none, ["api"]);
    let (paths, digest) = project.inputs(&["api"]);
    assert_eq!((paths.len(), digest.as_str()), (0, "4b825dc642cb6eb9a060e54bf8d69288fbee4904"));
    assert_eq!(project.altered(|repo| repo.file("api/Dockerfile", "FROM scratch\nCOPY . /\n")), ["api"]);
    assert_eq!(project.altered(|repo| repo.file("api/other", "3")), ["api"]);
}

#[test]
fn a_missing_source_is_an_error_on_its_line() {
    let project = Project::new("FROM scratch\n\nCOPY src /\n", &[]);
    let said = project.run(&PLAN);
    assert_eq!(said.code, Some(2));
    let head = &project.repo.head()[..10];
    let message = format!("api/Dockerfile:3: COPY src: not in the context `api` of commit {head}");
    assert!(said.errors.contains(&message), "{}", said.errors);

    // What a wildcard matches may be nothing; the folder that it is looked for in must be there.
    let project = Project::new("FROM scratch\nCOPY *.none src/*.none /\n", &[("api/src/a", "1")]);
    assert_eq!(project.run(&["inputs", "api"]).code, Some(0));
    let project = Project::new("FROM scratch\nCOPY a *.none src/*.none /\n", &[("api/a", "1")]);
    let said = project.run(&["inputs", "api"]);
    assert!(said.errors.contains("api/Dockerfile:2: COPY src/*.none: not in the context"), "{}", said.errors);

    let files = [("api/src/a", "1"), ("api/.dockerignore", "# out\nsrc\n")];
    let project = Project::new("FROM scratch\nCOPY src/a /\n", &files);
    let said = project.run(&["inputs", "api", "--disk"]);
    assert_eq!(said.code, Some(2));
    let message = "api/Dockerfile:2: COPY src/a: `src/a` is excluded by api/.dockerignore:2";
    assert!(said.errors.contains(message), "{}", said.errors);
}

#[test]
fn inputs_are_listed() {
    let files = [("api/src/a", "12345"), ("api/l", "-> src/b"), ("api/src/b", "1"), ("api/e/x.o", "1")];
    let mut project = Project::new("FROM scratch\nCOPY l e /\nADD http://x/y /\n", &files);
    project.change(|repo| repo.file("api/.dockerignore", "**/*.o\n").commit("ignore"));
    let said = project.run(&["inputs", "api"]);
    let head = project.repo.head();
    insta::assert_snapshot!(said.out.replace(&head[..10], "HEAD"), @r"
    api: the inputs in commit HEAD
      folder           0 B                api/e/
      link             5 B  89c8cd9f2c1c  api/l -> src/b
      file             1 B  56a6051ca2b0  api/src/b
    note: api/Dockerfile:3: nothing fixes the content of `http://x/y`: give a `--checksum`, else it is stale
    3 inputs, 6 B
    ");
    let json = project.json(&["inputs", "api", "--disk"]);
    assert_eq!(json["inputs"][1]["link"], "src/b");
    assert_eq!(json["bytes"], 6);
}

#[test]
fn an_image_is_explained() {
    let web = ("web/Dockerfile", "FROM api\nCOPY shared* /\n");
    let files = [("api/src/a", "1"), ("api/src/b", "1"), ("shared.txt", "1"), web];
    let mut project = Project::new("FROM scratch\nARG V=1\nCOPY src/ ./\n", &files);
    project.deployed();
    let base = project.repo.head();
    let said = project.run(&["explain", "api", "--env", "staging"]);
    assert!(said.out.contains("unchanged"), "{}{}", said.out, said.errors);
    project.repo =
        project.repo.file("api/src/a", "2").remove("api/src/b").file("shared.txt", "2").commit("x");
    let said = project.run(&["explain", "api"]);
    let head = project.repo.head();
    let shown = said.out.replace(&base[..7], "BASE").replace(&head[..7], "HEAD");
    insta::assert_snapshot!(shown, @r"
    staging: BASE..HEAD: api  build
      api/src/a modified
        api/Dockerfile:3  COPY src/ ./
      api/src/b deleted
        api/Dockerfile:3  COPY src/ ./
      no image of this key exists yet
    built from it
      web
    key f7c82109be447f4c089bf26e3670bd6ab44294221b5698a4fa6402b1db5393ae
      schema      1
      dockerfile  api/Dockerfile e90517440088
      platforms   linux/amd64
      context     9deca5148a5b
    ");
    let said = project.run(&["explain", "web"]).out;
    assert!(said.contains("built from `api`, which changed"), "{said}");
    let json = project.json(&["explain", "api"]);
    assert_eq!(json["decision"], "build");
    assert_eq!(
        json["causes"][0],
        serde_json::json!({
            "reason": "path-changed",
            "path": "api/src/a",
            "status": "modified",
            "read_by": [{
                "kind": "instruction", "file": "api/Dockerfile", "line": 3, "instruction": "COPY src/ ./"
            }],
        })
    );
}

#[test]
fn a_file_is_explained() {
    let files = [("api/src/a", "1"), ("api/.dockerignore", "*.md\n"), ("shared.txt", "1")];
    let project = Project::new("FROM scratch\nCOPY src/ ./\n", &files);
    let explain = |path: &str| {
        let said = project.run(&["explain", "--disk", "--path", path]);
        assert_eq!(said.code, Some(0), "{}", said.errors);
        said.out
    };
    let paths =
        ["api/src/a", "api/README.md", "./shared.txt", "LICENSE", "api/Dockerfile", "api/.dockerignore"];
    insta::assert_snapshot!(paths.map(explain).join("\n"), @r"
    api/src/a in the working tree
      api  api/Dockerfile:2  COPY src/ ./
      no input of 1 image: nothing copies or mounts it
    an input of 1 image

    api/README.md in the working tree
      no input of 1 image: ignored by api/.dockerignore:1
      no input of 1 image: nothing copies or mounts it
    an input of 0 images

    shared.txt in the working tree
      web  web/Dockerfile:2  COPY web/pages shared* /
      no input of 1 image: outside of the context
    an input of 1 image

    LICENSE in the working tree, where it is not
      no input of 1 image: nothing copies or mounts it
      no input of 1 image: outside of the context
    an input of 0 images

    api/Dockerfile in the working tree
      api  its Dockerfile
      no input of 1 image: nothing copies or mounts it
    an input of 1 image

    api/.dockerignore in the working tree
      api  says what of its context is ignored
      no input of 1 image: nothing copies or mounts it
    an input of 1 image
    ");
    let json = project.json(&["explain", "--path", "api/README.md"]);
    assert_eq!(
        json["images"],
        serde_json::json!({
            "api": {"input": false, "why": "ignored", "file": "api/.dockerignore", "line": 1},
            "web": {"input": false, "why": "not-copied"},
        })
    );
    assert_eq!(project.run(&["explain", "--path", "../x"]).code, Some(2));
    assert_eq!(project.run(&["explain"]).code, Some(2));
    let folder = project.run(&["explain", "--path", "api/src"]);
    assert_eq!(folder.code, Some(2));
    assert!(folder.errors.contains("`api/src` is a folder of commit"), "{}", folder.errors);
    for (path, meant) in [("api/scr/a", "api/src/a"), ("src/a", "api/src/a"), ("shraed.txt", "shared.txt")] {
        for disk in [&["explain", "--path", path][..], &["explain", "--disk", "--path", path]] {
            let said = project.run(disk).out;
            assert!(said.contains(&format!("did you mean `{meant}`?")), "{said}");
        }
        assert_eq!(project.json(&["explain", "--path", path])["meant"], meant);
    }
}

#[test]
fn what_an_older_frontend_reads_is_an_input() {
    let text = "ARG TARGETARCH\nFROM scratch\nARG TARGETARCH\nCOPY bin/${TARGETARCH} /\n";
    let files = [("api/bin/amd64/app", "1"), ("api/bin/arm64/app", "1")];
    let other = |repo: TestRepo| repo.file("api/bin/arm64/app", "2");
    let mut any = Project::new(text, &files);
    assert_eq!(any.altered(other), ["api"]);
    let said = any.run(&["inputs", "api"]);
    let note = "api/Dockerfile:4: `COPY bin/${TARGETARCH} /` reads `bin` to frontends before 1.11: ";
    assert!(said.errors.contains(note) || said.out.contains(note), "{}{}", said.out, said.errors);
    // A version that the file names settles it.
    let mut named = Project::new(&format!("# syntax=docker/dockerfile:1.11\n{text}"), &files);
    assert_eq!(named.altered(other), [""; 0]);
    // What no more than older ones read need not be there, and counts once it is.
    let mut missing = Project::new("FROM scratch\nARG A=a B=$A\nCOPY x$B /\n", &[("api/xa", "1")]);
    assert_eq!(missing.altered(|repo| repo.file("api/x", "1")), ["api"]);
}
