//! A repository with a number of images, described to each tool in its own file. Start with [`Project::make`].

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Outcome;
use crate::processes::timing::Timed;
use crate::tools::Tools;

/// The number of source files of an image.
const SOURCES: usize = 20;

/// A checkout of a generated repository.
pub(crate) struct Project {
    pub(crate) path: PathBuf,
    images: usize,
    /// The number of edits, counted from a number that no earlier run came to: the images of earlier runs may
    /// be at the registry still.
    edits: Cell<u64>,
}

impl Project {
    /// Generates a repository with so many images.
    pub(crate) fn make(folder: &Path, images: usize, tools: &Tools) -> Outcome<Self> {
        let edits = Cell::new(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() * 1000);
        let project = Self { path: folder.join(format!("images-{images}")), images, edits };
        drop(fs::remove_dir_all(&project.path));
        fs::create_dir_all(&project.path)?;
        project.describe(tools.registry())?;
        let base = tools.base()?;
        for image in 0..images {
            project.write_image(image, &base)?;
        }
        create(&project.path)?;
        tools.dtbuild(&project.path, ["lock"]).output()?;
        commit(&project.path)?;
        Ok(project)
    }

    /// The context of an image.
    pub(crate) fn context(image: usize) -> String {
        format!("images/i{image:02}")
    }

    /// Changes one file of one image into a text that it never had.
    pub(crate) fn edit(&self, image: usize) -> Outcome<()> {
        self.edits.set(self.edits.get() + 1);
        let text = source(image, 0, self.edits.get());
        fs::write(self.path.join(Self::context(image)).join("src/f00.js"), text)?;
        Ok(())
    }

    /// Changes one file of one image, and commits that.
    pub(crate) fn edit_and_commit(&self, image: usize) -> Outcome<()> {
        self.edit(image)?;
        commit(&self.path)
    }

    /// Changes one file of every image.
    pub(crate) fn edit_all(&self) -> Outcome<()> {
        (0..self.images).try_for_each(|image| self.edit(image))
    }

    fn write_image(&self, image: usize, base: &str) -> Outcome<()> {
        let folder = self.path.join(Self::context(image));
        fs::create_dir_all(folder.join("src"))?;
        // What hardly changes first, as in most Dockerfiles.
        let dockerfile = format!(
            "FROM {base}\nWORKDIR /app\nCOPY package.json ./\nRUN cp package.json installed.json\n\
             COPY src/ src/\nRUN cat src/* >bundle.js\nCMD [\"cat\", \"bundle.js\"]\n"
        );
        fs::write(folder.join("Dockerfile"), dockerfile)?;
        fs::write(folder.join("package.json"), format!("{{\"name\":\"i{image:02}\"}}\n"))?;
        for file in 0..SOURCES {
            fs::write(folder.join(format!("src/f{file:02}.js")), source(image, file, 0))?;
        }
        Ok(())
    }

    fn describe(&self, registry: &str) -> Outcome<()> {
        let mut build = format!(
            "[project]\nname = \"bench\"\nregistry = \"{registry}/bench\"\n\n\
             [environments.staging]\nbranch = \"staging\"\n"
        );
        let names: Vec<String> = (0..self.images).map(|image| format!("\"i{image:02}\"")).collect();
        let mut bake = format!("group \"default\" {{ targets = [{}] }}\n", names.join(", "));
        let mut compose = "name: bench\nservices:\n".to_owned();
        for image in 0..self.images {
            let context = Self::context(image);
            write!(build, "\n[images.i{image:02}]\ncontext = \"{context}\"\n")?;
            write!(
                bake,
                "target \"i{image:02}\" {{\n  context = \"{context}\"\n  tags = [\"{registry}/bench-bake/i{image:02}\"]\n}}\n"
            )?;
            write!(
                compose,
                "  i{image:02}:\n    image: {registry}/bench-compose/i{image:02}\n    build: {context}\n"
            )?;
        }
        fs::write(self.path.join("build.toml"), build)?;
        fs::write(self.path.join("docker-bake.hcl"), bake)?;
        fs::write(self.path.join("compose.yaml"), compose)?;
        Ok(())
    }
}

/// A source file's text: two kilobytes.
fn source(image: usize, file: usize, edit: u64) -> String {
    format!("// image {image}, file {file}, edit {edit:013}: {}\n", "x".repeat(30)).repeat(32)
}

/// Makes a repository of a folder, with all of its files committed, and packed as it is in a clone.
pub(crate) fn create(folder: &Path) -> Outcome<()> {
    Timed::new("git", "git", folder, ["init", "--quiet"]).output()?;
    // What is larger than this goes into a pack at once, as it is.
    for setting in [["core.bigFileThreshold", "1"], ["core.compression", "0"], ["gc.auto", "0"]] {
        Timed::new("git", "git", folder, ["config", setting[0], setting[1]]).output()?;
    }
    commit(folder)?;
    Timed::new("git", "git", folder, ["repack", "-d", "--quiet"]).output().map(drop)
}

/// Commits all files in a folder.
fn commit(folder: &Path) -> Outcome<()> {
    let identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"];
    let (add, commit) = (["add", "--all", "--", ":!.dtbuild"], ["commit", "--quiet", "--message", "all"]);
    for arguments in [&add[..], &commit] {
        let arguments = identity.iter().chain(arguments).copied();
        Timed::new("git", "git", folder, arguments).output()?;
    }
    Ok(())
}
