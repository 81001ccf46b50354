//! The folder of the answers that one version of the code computed, apart from the answers of other versions.
//! Start with [`Fingerprint`].
//!
//! Answers that are kept between runs are as right as the code that computed them. So every file with answers
//! belongs to a fingerprint of that code, and is found under no other fingerprint: after an upgrade
//! everything is computed once more.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

/// The start of the folders' names.
const PREFIX: &str = "code-";

/// The number of folders of other code that are kept beside a new folder: those of the versions that are used
/// side by side.
const OTHERS: usize = 2;

/// The digest of the code that computes the kept answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// The folder of the answers that the code of one [`Fingerprint`] computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFolder(PathBuf);

impl Fingerprint {
    /// The fingerprint of the code that `text` stands for, such as the digest of its sources.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(*blake3::hash(text.as_bytes()).as_bytes())
    }

    /// The folder of this code in `parent`. The folder is not made yet: see [`OwnFolder::make`].
    #[must_use]
    pub fn folder(&self, parent: &Path) -> OwnFolder {
        let hex = blake3::Hash::from_bytes(self.0).to_hex();
        OwnFolder(parent.join(format!("{PREFIX}{hex}")))
    }
}

impl OwnFolder {
    /// The path of a file in the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder if it is missing, and then removes the folders of other code except the newest ones.
    ///
    /// # Errors
    /// Fails if the folder cannot be made.
    pub fn make(&self) -> io::Result<()> {
        if self.0.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.0)?;
        // A folder that cannot be removed takes room, and does no other harm.
        let mut others = self.others().unwrap_or_default();
        others.sort_unstable_by(|one, other| other.cmp(one));
        for (_, old) in others.into_iter().skip(OTHERS) {
            let _ = fs::remove_dir_all(old);
        }
        Ok(())
    }

    /// The folders of other code beside this one, each with the time at which something was last put into it.
    fn others(&self) -> io::Result<Vec<(SystemTime, PathBuf)>> {
        let parent = self.0.parent().unwrap_or(Path::new("."));
        let is_code =
            |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let entries = fs::read_dir(parent)?.filter_map(Result::ok).filter(is_code);
        let others = entries.filter(|entry| entry.path() != self.0);
        Ok(others.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_code_found_out_does_not_pile_up() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |number: usize| Fingerprint::of(&number.to_string()).folder(parent.path());
        fs::write(parent.path().join("other"), "stays").unwrap();
        for number in 0..10 {
            folder(number).make().unwrap();
            fs::write(folder(number).file("memo"), "answers").unwrap();
            // The times tell which is newer, whatever the file system's resolution.
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            fs::File::open(&folder(number).0).unwrap().set_modified(time).unwrap();
            let kept = (0..=number).filter(|number| folder(*number).file("memo").exists());
            assert!(kept.eq(number.saturating_sub(OTHERS)..=number), "after version {number}");
        }
        assert!(parent.path().join("other").exists());
    }

    #[test]
    fn a_folder_that_is_there_leaves_the_others_alone() {
        let parent = tempfile::tempdir().unwrap();
        let all = ["a", "b", "c", "d", "e"].map(|code| Fingerprint::of(code).folder(parent.path()));
        for folder in &all {
            fs::create_dir(&folder.0).unwrap();
        }
        all[0].make().unwrap();
        assert!(all.iter().all(|folder| folder.0.is_dir()));
    }
}
