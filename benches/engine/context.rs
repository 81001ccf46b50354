//! A large context: many files, of which one changes. Start with [`Context::make`].

use std::cell::Cell;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::project::create;
use crate::tools::Tools;

/// The path of the context below the repository's root.
pub(crate) const FOLDER: &str = "context";
/// The number of files in each folder of the context.
const TOGETHER: usize = 100;

/// The size of a context.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) files: usize,
    /// The size of each file in bytes.
    pub(crate) bytes: usize,
}

/// A checkout with one image.
pub(crate) struct Context {
    pub(crate) path: PathBuf,
    edits: Cell<u8>,
}

impl Context {
    /// Generates a repository whose only image has a context of this size, and a Dockerfile that ends in `steps`.
    pub(crate) fn make(folder: &Path, name: &str, size: Size, steps: &str, tools: &Tools) -> Outcome<Self> {
        let context = Self { path: folder.join(name), edits: Cell::new(0) };
        drop(fs::remove_dir_all(&context.path));
        fs::create_dir_all(context.path.join(FOLDER))?;
        let build = format!(
            "[project]\nname = \"{name}\"\nregistry = \"bench.localhost/bench\"\n\n[images.{name}]\n\
             context = \"{FOLDER}\"\ndockerfile = \"Dockerfile\"\n"
        );
        fs::write(context.path.join("build.toml"), build)?;
        fs::write(context.path.join("Dockerfile"), format!("FROM {}\n{steps}\n", tools.base()?))?;
        let mut state = 1;
        for file in 0..size.files {
            let path = context.file(file);
            if file % TOGETHER == 0 {
                fs::create_dir_all(path.parent().unwrap_or(&path))?;
            }
            fs::write(path, noise(&mut state, size.bytes))?;
        }
        create(&context.path)?;
        tools.dtbuild(&context.path, ["lock"]).output()?;
        Ok(context)
    }

    /// Changes one byte of one file.
    pub(crate) fn edit(&self) -> Outcome<()> {
        self.edits.set(self.edits.get().wrapping_add(1));
        let mut file = fs::OpenOptions::new().write(true).open(self.file(TOGETHER / 2))?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[self.edits.get()])?;
        Ok(())
    }

    fn file(&self, number: usize) -> PathBuf {
        let folder = format!("{FOLDER}/d{:03}", number / TOGETHER);
        self.path.join(folder).join(format!("f{:02}.bin", number % TOGETHER))
    }
}

/// Bytes that do not compress.
fn noise(state: &mut u64, bytes: usize) -> Vec<u8> {
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        // A step of xorshift64.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}
