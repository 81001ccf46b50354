//! The repositories that histories start from, each with a construct of public monorepos. Start with [`Construct`].

use std::fmt::Write as _;

use tempfile::TempDir;

use crate::support::repo::TestRepo;

/// How a monorepo declares its images.
#[derive(Clone, Copy, Debug)]
pub(super) enum Construct {
    /// One context, the repository's root, and a Dockerfile per service, as compose files have it.
    OneContext,
    /// A folder per service with a Dockerfile and a context of its own.
    Folders,
    /// A folder of definitions that several services copy.
    SharedFolder,
    /// Images that stand on images of the same repository, and on pinned ones from elsewhere.
    SharedBases,
}

/// What repositories of a run have in common.
pub(super) struct Setting {
    /// Text that no other run has. It is part of every file, so that no step is found in the cache of another run.
    pub(super) salt: String,
    /// The registry that `build.toml` names.
    pub(super) registry: String,
    /// Base images with a shell, pinned by digest.
    pub(super) bases: Vec<String>,
    /// The folder of git's folder, outside of the checkout: Docker's client sends it where no `.dockerignore` leaves it
    /// out, dtbuild never does.
    pub(super) git_folder: TempDir,
    /// True if the engine's frontend knows named contexts.
    pub(super) named_contexts: bool,
}

/// A repository while it is written.
struct Draft<'a> {
    repo: TestRepo,
    setting: &'a Setting,
    config: String,
}

impl Construct {
    /// A repository with one commit.
    pub(super) fn repository(self, setting: &Setting) -> TestRepo {
        let git_folder = setting.git_folder.path().join("git");
        let repo = TestRepo::init(&["--separate-git-dir", git_folder.to_str().unwrap()]);
        repo.git(["config", "gc.auto", "0"]);
        repo.git(["config", "user.name", "A U Thor"]);
        repo.git(["config", "user.email", "author@example.com"]);
        let registry = &setting.registry;
        let config = format!(
            "[project]\nname = \"histories\"\nregistry = \"{registry}\"\n[environments.staging]\nbranch = \"main\"\n"
        );
        let mut draft = Draft { repo, setting, config };
        draft.files("README.md docs/guide.md docs/images/logo.svg .github/workflows/ci.yml Makefile");
        match self {
            Self::OneContext => draft.one_context(),
            Self::Folders => draft.folders(),
            Self::SharedFolder => draft.shared_folder(),
            Self::SharedBases => draft.shared_bases(),
        }
        draft.repo.file("build.toml", draft.config).commit("first")
    }
}

impl Draft<'_> {
    fn one_context(&mut self) {
        self.text(".dockerignore", "# What no image needs.\n.git\n.github\n**/*.md\ndocs\n**/node_modules\n**/*.test.js\n!docs/guide.md\n");
        self.files("package.json package-lock.json libs/shared/index.js libs/shared/strings.json libs/shared/index.test.js");
        for name in ["web", "api", "worker", "cron"] {
            let folder = format!("services/{name}");
            self.files(&format!(
                "{folder}/package.json {folder}/src/main.js {folder}/src/routes/users.js {folder}/src/main.test.js {folder}/README.md"
            ));
            self.image(name, ".", &format!("{folder}/Dockerfile"), "");
        }
        self.text(
            "services/web/Dockerfile",
            "FROM scratch\nCOPY package.json package-lock.json /app/\nCOPY services/web/src /app/src\nCOPY libs /app/libs\nCMD [\"/app\"]\n",
        );
        let base = &self.setting.bases[0];
        let api = format!(
            "FROM {base} AS build\nWORKDIR /src\nCOPY services/api/package.json ./\nCOPY services/api/src ./src\nCOPY libs/shared ./shared\n\
             RUN cat package.json shared/* src/main.js > /out\n\nFROM scratch\nCOPY --from=build /out /bin/api\n"
        );
        self.text("services/api/Dockerfile", &api);
        self.text(
            "services/api/Dockerfile.dockerignore",
            "*\n!services/api\n!libs\n**/*.md\nservices/api/**/*.test.js\n",
        );
        self.text("services/worker/Dockerfile", "FROM scratch\nCOPY . /app\nWORKDIR /app/services/worker\n");
        self.text(
            "services/cron/Dockerfile",
            "FROM scratch\nCOPY services/*/package.json /manifests/\nADD libs/shared/*.json /etc/\nCOPY services/cron/src/ /bin/\n",
        );
    }

    fn folders(&mut self) {
        for name in ["client", "server", "db", "mail", "docs-site"] {
            let folder = format!("services/{name}");
            self.files(&format!(
                "{folder}/app.conf {folder}/src/main.go {folder}/src/util/strings.go {folder}/src/main_test.go {folder}/README.md"
            ));
            self.text(
                &format!("{folder}/.dockerignore"),
                "Dockerfile\n.dockerignore\n*.md\n**/*_test.go\n/tmp\n",
            );
            self.image(name, &folder, "", "");
        }
        self.text("services/client/Dockerfile", "FROM scratch\nCOPY . /\n");
        self.text(
            "services/server/Dockerfile",
            "FROM scratch AS files\nCOPY src /src\nFROM scratch\nCOPY app.conf /etc/\nCOPY --from=files /src/main.go /src/\n",
        );
        self.repo.write("services/db/init/10-schema.sh", self.content("schema"), 0o755);
        self.files("services/db/init/20-seed.sql");
        self.text(
            "services/db/Dockerfile",
            "FROM scratch\nCOPY init/ /docker-entrypoint-initdb.d/\nADD app.conf /etc/db.conf\n",
        );
        self.text(
            "services/mail/Dockerfile",
            "FROM scratch\nCOPY [\"app.conf\", \"src/main.go\", \"/app/\"]\nCOPY src/util/*.go /app/util/\n",
        );
        let base = &self.setting.bases[0];
        self.text(
            "services/docs-site/Dockerfile",
            &format!("FROM {base}\nCOPY src /src\nRUN cat /src/* > /page || true\n"),
        );
        self.repo.git(["config", "core.symlinks", "true"]);
        std::os::unix::fs::symlink("../../README.md", self.repo.path("services/client/README.link")).unwrap();
    }

    fn shared_folder(&mut self) {
        self.text(".dockerignore", "**/*.md\ndocs\n.git*\n");
        self.files(
            "proto/user/user.proto proto/order/order.proto proto/buf.yaml proto/README.md openapi/v1.yaml",
        );
        for name in ["gateway", "users", "orders", "client", "tools"] {
            self.files(&format!("{name}/main.rs {name}/conf/app.toml {name}/README.md"));
        }
        self.text(
            "gateway/Dockerfile",
            "FROM scratch\nCOPY proto/ /proto/\nCOPY openapi /openapi\nCOPY gateway/main.rs gateway/conf /app/\n",
        );
        self.image("gateway", ".", "gateway/Dockerfile", "");
        self.text("users/Dockerfile", "FROM scratch\nCOPY proto/user/*.proto /proto/\nCOPY users /app\n");
        self.image("users", ".", "users/Dockerfile", "");
        let base = &self.setting.bases[0];
        self.text(
            "orders/Dockerfile",
            &format!(
                "FROM {base} AS generate\nRUN --mount=type=bind,source=proto,target=/proto cat /proto/order/* /proto/buf.yaml > /out\n\
                 FROM scratch\nCOPY --from=generate /out /app/\nCOPY orders/conf /app/conf\n"
            ),
        );
        self.image("orders", ".", "orders/Dockerfile", "");
        self.text("client/Dockerfile", "FROM scratch\nCOPY main.rs /\n");
        self.image("client", "client", "", "paths = [\"openapi/**\"]\n");
        if self.setting.named_contexts {
            self.text(
                "tools/Dockerfile",
                "FROM scratch\nCOPY --from=proto user /proto/user\nCOPY --from=proto buf.yaml /proto/\nCOPY conf /conf\n",
            );
            self.image("tools", "tools", "", "contexts = { proto = \"proto\" }\n");
        }
    }

    fn shared_bases(&mut self) {
        let (registry, bases) = (self.setting.registry.clone(), self.setting.bases.clone());
        self.files(
            "images/base/etc/profile images/base/etc/motd images/runtime/entry.sh images/tools/bin/tool",
        );
        self.text(
            "images/base/Dockerfile",
            &format!("FROM {}\nARG LANGUAGE=C\nENV LANGUAGE=$LANGUAGE\nCOPY etc /etc/base\n", bases[0]),
        );
        self.image("base", "images/base", "", "args = { LANGUAGE = \"en\", UNUSED = \"1\" }\n");
        self.text(
            "images/runtime/Dockerfile",
            &format!(
                "FROM {registry}/base\nCOPY --chmod=755 entry.sh /entry.sh\nENTRYPOINT [\"/entry.sh\"]\n"
            ),
        );
        self.image("runtime", "images/runtime", "", "");
        self.text("images/tools/Dockerfile", "FROM scratch\nCOPY bin/ /bin/\n");
        self.image("tools", "images/tools", "", "");
        for name in ["shop", "blog", "jobs"] {
            self.files(&format!("apps/{name}/src/main.py apps/{name}/src/views.py apps/{name}/requirements.txt apps/{name}/README.md"));
        }
        self.text(
            "apps/shop/Dockerfile",
            &format!("FROM {registry}/runtime\nARG VERSION\nLABEL version=$VERSION\nCOPY requirements.txt /\nCOPY src /src\n"),
        );
        self.image("shop", "apps/shop", "", "args = { VERSION = \"1\" }\n");
        self.text(
            "apps/blog/Dockerfile",
            &format!(
                "ARG BASE={}\nFROM $BASE AS build\nRUN --mount=type=bind,source=src,target=/src cat /src/main.py > /out\n\
                 FROM scratch\nCOPY --from={registry}/tools /bin /bin\nCOPY --from=build /out /app\n",
                bases[1]
            ),
        );
        self.image("blog", "apps/blog", "", "");
        self.text(
            "apps/jobs/Dockerfile",
            &format!("FROM {} AS unused\nCOPY requirements.txt /\nFROM {registry}/base AS jobs\nCOPY src/*.py /jobs/\nFROM unused\n", bases[0]),
        );
        self.image("jobs", "apps/jobs", "", "target = \"jobs\"\n");
    }

    /// Writes files, whose paths are separated by spaces.
    fn files(&mut self, paths: &str) {
        for path in paths.split(' ') {
            self.text(path, &self.content(path));
        }
    }

    fn text(&self, path: &str, text: &str) {
        self.repo.write(path, text, 0o644);
    }

    fn content(&self, text: &str) -> String {
        format!("{text} {}\n", self.setting.salt)
    }

    fn image(&mut self, name: &str, context: &str, dockerfile: &str, more: &str) {
        write!(self.config, "[images.{name}]\ncontext = \"{context}\"\n").unwrap();
        if !dockerfile.is_empty() {
            writeln!(self.config, "dockerfile = \"{dockerfile}\"").unwrap();
        }
        self.config.push_str(more);
    }
}
