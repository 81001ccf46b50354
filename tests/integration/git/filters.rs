//! Simple filters for tests.

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::tree::{Filter, Kind, Verdict};

/// Leaves out the paths with one of these last components, folders with all that is in them.
pub(crate) struct Without(pub(crate) &'static [&'static str]);

impl Filter for Without {
    /// Whether a folder above is left out.
    type State = bool;

    fn root(&self) -> bool {
        false
    }

    fn enter(&self, out: &bool, path: &BStr, _: Kind) -> (Verdict, bool) {
        let name = path.rsplit_str("/").next().unwrap_or(path);
        let out = *out || self.0.iter().any(|left_out| left_out.as_bytes() == name);
        (if out { Verdict::Excluded } else { Verdict::Included }, out)
    }

    fn below(&self, out: &bool) -> Option<bool> {
        if *out { Some(false) } else { None }
    }
}

/// Keeps only the file at this path; the folders above are not included for their own sake.
pub(crate) struct Only(pub(crate) &'static str);

impl Filter for Only {
    type State = ();

    fn root(&self) {}

    fn enter(&self, (): &(), path: &BStr, _: Kind) -> (Verdict, ()) {
        (if path == self.0 { Verdict::Included } else { Verdict::Excluded }, ())
    }

    fn below(&self, (): &()) -> Option<bool> {
        None
    }
}
