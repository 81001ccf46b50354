//! The ids of filtered folders, remembered from run to run. Start with [`Remembered`].

use bstr::BStr;

use super::digest::Left;
use super::filters::Everything;
use super::{Both, ContentId, Filter, Node};
use crate::memo::{Asking, Memo, Question};

/// The kind of the questions to the memo: the BLAKE3 context.
const CONTEXT: &str = "dtbuild filtered folder v1";

/// A filter that says what its verdicts depend on, so that another run can recognise an equal filter.
pub trait Identified: Filter {
    /// Adds to `asking` everything that the filter's verdicts depend on, besides the paths it is asked about.
    fn identify(&self, asking: &mut Asking);
}

/// The memo of one filter: the part of a folder that is left, by the folder's path and the id of its tree.
pub struct Remembered<'a> {
    memo: &'a Memo,
    asking: Asking,
}

impl<'a> Remembered<'a> {
    /// The answers of `memo` about trees that pass `filter`.
    #[must_use]
    pub fn new(memo: &'a Memo, filter: &impl Identified) -> Self {
        let mut asking = Asking::new(CONTEXT);
        filter.identify(&mut asking);
        asking.settle();
        Self { memo, asking }
    }

    pub(super) fn recall(&self, path: &BStr, folder: &Node) -> Option<Left> {
        match &*self.memo.recall(&self.question(path, folder)?)? {
            [0] => Some(Left::Excluded),
            [1] => Some(Left::Forgotten),
            id => Some(Left::Content(ContentId::try_from(id).ok()?)),
        }
    }

    pub(super) fn note(&self, path: &BStr, folder: &Node, left: Left) {
        let answer = match &left {
            Left::Excluded => vec![0],
            Left::Forgotten => vec![1],
            Left::Content(id) => id.as_bytes().to_vec(),
        };
        if let Some(question) = self.question(path, folder) {
            self.memo.note(question, answer);
        }
    }

    /// The question about `folder`; none for a folder without an id, since nothing else stands for the
    /// folder's content.
    fn question(&self, path: &BStr, folder: &Node) -> Option<Question> {
        let id = folder.id?;
        Some(self.asking.clone().on(path).on(id.as_bytes()).question())
    }
}

impl Identified for Everything {
    fn identify(&self, asking: &mut Asking) {
        asking.on(b"everything");
    }
}

impl<A: Identified, B: Identified> Identified for Both<A, B> {
    fn identify(&self, asking: &mut Asking) {
        asking.on(b"both");
        self.0.identify(asking);
        self.1.identify(asking);
    }
}

impl<F: Identified> Identified for Option<F> {
    fn identify(&self, asking: &mut Asking) {
        match self {
            Some(filter) => filter.identify(asking.on(b"some")),
            None => {
                asking.on(b"none");
            }
        }
    }
}

impl<F: Identified + ?Sized> Identified for &F {
    fn identify(&self, asking: &mut Asking) {
        (**self).identify(asking);
    }
}
