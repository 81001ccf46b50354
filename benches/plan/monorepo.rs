//! A generated monorepo: the same bytes and the same commit ids everywhere. Start with [`Monorepo::make`].

use std::fmt::{self, Write as _};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use crate::Outcome;
use crate::peers;

/// The branch that the environment runs; `change-N` branches differ from it in N files.
pub(crate) const BASE: &str = "base";

/// The number of files that a commit of the history changes.
const CHANGED_BY_COMMIT: usize = 3;

/// The numbers of files in which the branches differ from the base.
pub(crate) const CHANGES: [usize; 5] = [1, 10, 100, 1000, 10_000];

/// The number of files from which on no program here reads sources, so that they can be short.
const HUGE: usize = 500_000;

/// The size of a monorepo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    pub(crate) images: usize,
    pub(crate) files: usize,
    pub(crate) commits: usize,
}

impl Size {
    pub(crate) const fn new(images: usize, files: usize, commits: usize) -> Self {
        Self { images, files, commits }
    }

    /// True if a monorepo of this size is too large to have all of its files on the disk.
    pub(crate) fn is_huge(self) -> bool {
        self.files >= HUGE
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<usize> = text.split(',').filter_map(|number| number.parse().ok()).collect();
        match numbers[..] {
            [images, files, commits] if images > 0 && files >= images * 10 => {
                Ok(Self { images, files, commits })
            }
            _ => Err(format!("`{text}` is no size: IMAGES,FILES,COMMITS, with ten files per image or more")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [images, files, commits] = [self.images, self.files, self.commits].map(grouped);
        write!(formatter, "{images} images, {files} files, {commits} commits")
    }
}

/// A number with a comma before each three digits.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A checkout of a generated monorepo.
pub(crate) struct Monorepo {
    pub(crate) size: Size,
    pub(crate) path: PathBuf,
}

impl Monorepo {
    /// Generates the monorepo, unless an earlier run did.
    pub(crate) fn make(folder: &Path, size: Size) -> Outcome<Self> {
        let name = format!("monorepo-{}-{}-{}", size.images, size.files, size.commits);
        let monorepo = Self { size, path: folder.join(name) };
        let done = monorepo.path.join(".git/generated-4");
        if !done.exists() {
            eprintln!("generating a monorepo: {size}");
            drop(fs::remove_dir_all(&monorepo.path));
            fs::create_dir_all(&monorepo.path)?;
            monorepo.git(["init", "--quiet", "--initial-branch", BASE])?;
            monorepo.import()?;
            if size.is_huge() {
                // What is packed better would be found no faster, and packing takes a quarter of an hour.
                monorepo.git(["commit-graph", "write", "--reachable"])?;
            } else {
                monorepo.git(["gc", "--quiet"])?;
            }
            fs::write(done, "")?;
        }
        Ok(monorepo)
    }

    /// Writes the files of a branch to the disk, and makes it HEAD.
    pub(crate) fn checkout(&self, branch: &str) -> Outcome<()> {
        self.git(["checkout", "--quiet", "--force", branch, "--"])
    }

    /// Makes a branch HEAD, and leaves the disk as it is.
    pub(crate) fn set_head(&self, branch: &str) -> Outcome<()> {
        self.git(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])
    }

    /// The branch that differs from the base in `count` files.
    pub(crate) fn change(count: usize) -> String {
        format!("change-{count}")
    }

    /// The output of git.
    pub(crate) fn ask_git<const N: usize>(&self, arguments: [&str; N]) -> Outcome<String> {
        let output = Command::new("git").arg("-C").arg(&self.path).args(arguments).output()?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        } else {
            Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
        }
    }

    fn git<const N: usize>(&self, arguments: [&str; N]) -> Outcome<()> {
        self.ask_git(arguments).map(drop)
    }

    fn import(&self) -> Outcome<()> {
        let mut git = Command::new("git")
            .arg("-C")
            .arg(&self.path)
            .args(["fast-import", "--quiet", "--depth=50"])
            .stdin(Stdio::piped())
            .spawn()?;
        let stream = git.stdin.take().ok_or("git fast-import has no input")?;
        let mut import = Import { out: BufWriter::with_capacity(1 << 20, stream), time: 1_700_000_000 };
        self.history(&mut import)?;
        import.out.flush()?;
        drop(import);
        if git.wait()?.success() { Ok(()) } else { Err("git fast-import failed".into()) }
    }

    fn history(&self, import: &mut Import<impl Write>) -> Outcome<()> {
        let Size { images, commits, .. } = self.size;
        let sources = self.sources();
        let lines = if self.size.is_huge() { 1 } else { 16 };
        let source_text = |number, version| source_text(number, version, lines);
        import.commit(BASE, None, "all of it")?;
        for (path, text) in peers::root_files(images) {
            import.file(&path, &text)?;
        }
        for image in 0..images {
            for (path, text) in peers::image_files(image) {
                import.file(&path, &text)?;
            }
        }
        for (number, path) in sources.iter().enumerate() {
            import.file(path, &source_text(number, 0))?;
        }
        for commit in 1..commits {
            import.commit(BASE, None, &format!("change {commit}"))?;
            for change in 0..CHANGED_BY_COMMIT {
                // A large step, coprime to most lengths, spreads the changes over the folders.
                let number = (commit * CHANGED_BY_COMMIT + change) * 7919 % sources.len();
                import.file(&sources[number], &source_text(number, commit))?;
            }
        }
        for count in CHANGES {
            import.commit(&Self::change(count), Some(BASE), &format!("change {count} files"))?;
            let changed = count.min(sources.len());
            let step = sources.len() / changed;
            // One change is in an image that no other one is built from.
            let first =
                if count == 1 { sources.len() * images.min(8).saturating_sub(1) / images + 1 } else { 0 };
            for change in 0..changed {
                let number = (first + change * step) % sources.len();
                import.file(&sources[number], &source_text(number, 1_000_000 + count))?;
            }
        }
        Ok(())
    }

    /// The source files of all images.
    fn sources(&self) -> Vec<String> {
        let Size { images, files, .. } = self.size;
        let mut sources = Vec::with_capacity(files);
        for image in 0..images {
            let own = files / images + usize::from(image < files % images);
            for file in 0..own.saturating_sub(peers::FILES_PER_IMAGE) {
                let (module, part) = (file / 100, file / 10 % 10);
                sources.push(format!(
                    "packages/{}/src/m{module}/k{part}/f{}.ts",
                    peers::name(image),
                    file % 10
                ));
            }
        }
        sources
    }
}

/// A source file's text, which hardly compresses: about 600 bytes for 16 lines.
fn source_text(number: usize, version: usize, lines: usize) -> String {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (version as u64);
    let mut text = format!("// file {number}, version {version}\n");
    for line in 0..lines {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = writeln!(text, "export const v{line} = 0x{state:016x};");
    }
    text
}

/// The stream that `git fast-import` reads.
struct Import<W> {
    out: W,
    time: u64,
}

impl<W: Write> Import<W> {
    fn commit(&mut self, branch: &str, from: Option<&str>, message: &str) -> Outcome<()> {
        self.time += 60;
        writeln!(
            self.out,
            "commit refs/heads/{branch}\ncommitter Bench <bench@example.com> {} +0000",
            self.time
        )?;
        writeln!(self.out, "data {}\n{message}", message.len())?;
        if let Some(from) = from {
            writeln!(self.out, "from refs/heads/{from}")?;
        }
        Ok(())
    }

    fn file(&mut self, path: &str, text: &str) -> Outcome<()> {
        writeln!(self.out, "M 100644 inline {path}\ndata {}\n{text}", text.len())?;
        Ok(())
    }
}
