//! The files of a monorepo besides sources: for dtbuild, turbo, nx and moon, each as its documentation says.

use std::fmt::Write as _;

/// The number of files that [`image_files`] makes.
pub(crate) const FILES_PER_IMAGE: usize = 6;

/// The name of an image, which is a package to the peers.
pub(crate) fn name(image: usize) -> String {
    format!("p{image:04}")
}

/// The image that an image is built from: three of ten stand on the first of their ten.
fn needed(image: usize) -> Option<usize> {
    matches!(image % 10, 1..=3).then(|| image - image % 10)
}

/// The files of the root.
pub(crate) fn root_files(images: usize) -> Vec<(String, String)> {
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    let mut build = "\
[project]
name = \"bench\"
registry = \"127.0.0.1:1/bench\"

[environments.staging]
branch = \"staging\"

[environments.other]
branch = \"other\"
"
    .to_owned();
    for image in 0..images {
        let name = name(image);
        let _ = write!(build, "\n[images.{name}]\ncontext = \"packages/{name}\"\n");
    }
    let lock = format!(
        "version = 2\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n\n[bases]\n\"node:22\" = \"sha256:{}\"\n",
        "5".repeat(64)
    );
    let mut files: Vec<(String, String)> = [
        ("package.json", "{\"name\":\"bench\",\"private\":true,\"packageManager\":\"npm@11.0.0\",\"workspaces\":[\"packages/*\"]}\n"),
        ("turbo.json", "{\"tasks\":{\"build\":{\"dependsOn\":[\"^build\"]}}}\n"),
        ("nx.json", "{\"defaultBase\":\"base\",\"analytics\":false,\"neverConnectToCloud\":true}\n"),
        (".moon/workspace.yml", "projects:\n  - 'packages/*'\nvcs:\n  defaultBranch: 'base'\n"),
        (".gitignore", "node_modules\n.turbo\n.nx\n.moon/cache\n.dtbuild\n"),
    ]
    .map(owned)
    .into();
    files.push(("package-lock.json".to_owned(), package_lock(images)));
    files.push(("build.toml".to_owned(), build));
    files.push(("build.lock".to_owned(), lock));
    files
}

fn package_lock(images: usize) -> String {
    let mut packages = vec!["\"\":{\"name\":\"bench\",\"workspaces\":[\"packages/*\"]}".to_owned()];
    for image in 0..images {
        let name = name(image);
        packages.push(format!("\"node_modules/{name}\":{{\"resolved\":\"packages/{name}\",\"link\":true}}"));
        let dependencies = needed(image)
            .map(|needed| format!(",\"dependencies\":{{\"{}\":\"1.0.0\"}}", self::name(needed)))
            .unwrap_or_default();
        packages
            .push(format!("\"packages/{name}\":{{\"name\":\"{name}\",\"version\":\"1.0.0\"{dependencies}}}"));
    }
    format!(
        "{{\"name\":\"bench\",\"lockfileVersion\":3,\"requires\":true,\"packages\":{{{}}}}}\n",
        packages.join(",")
    )
}

/// The files of an image that are no sources.
pub(crate) fn image_files(image: usize) -> Vec<(String, String)> {
    let name = name(image);
    let (copy, json, yaml) = match needed(image).map(self::name) {
        Some(needed) => (
            format!("COPY --from={needed} /srv /lib/{needed}\n"),
            format!(",\"dependencies\":{{\"{needed}\":\"1.0.0\"}}"),
            format!("dependsOn: ['{needed}']\n"),
        ),
        None => Default::default(),
    };
    let dockerfile = format!(
        "FROM node:22 AS build\nWORKDIR /app\nARG NODE_ENV=production\nCOPY package.json ./\nRUN npm ci\n\
         COPY src ./src\nRUN npm run build\n\nFROM node:22\n{copy}COPY --from=build /app/dist /srv\n\
         CMD [\"node\", \"/srv/main.js\"]\n"
    );
    let ignore = "node_modules\n**/*.md\n*.log\n!keep.log\ntests/**\n.git\ndocs/*.txt\n".to_owned();
    let package =
        format!("{{\"name\":\"{name}\",\"version\":\"1.0.0\",\"scripts\":{{\"build\":\"true\"}}{json}}}\n");
    let moon = format!("language: 'typescript'\n{yaml}tasks:\n  build:\n    command: 'true'\n");
    let files: [(&str, String); FILES_PER_IMAGE] = [
        ("Dockerfile", dockerfile),
        (".dockerignore", ignore),
        ("package.json", package),
        ("moon.yml", moon),
        ("README.md", format!("# {name}\n")),
        ("tests/main.ts", format!("// the tests of {name}\n")),
    ];
    files.map(|(file, text)| (format!("packages/{name}/{file}"), text)).into()
}
