//! Filters that need no rules of their own. Start with [`Both`].

use bstr::BStr;

use super::{Filter, Kind, Verdict};

/// The filter that lets every path through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Everything;

impl Filter for Everything {
    type State = ();

    fn root(&self) -> Self::State {}

    fn enter(&self, (): &Self::State, _path: &BStr, _kind: Kind) -> (Verdict, Self::State) {
        (Verdict::Included, ())
    }

    fn below(&self, (): &Self::State) -> Option<bool> {
        Some(true)
    }
}

/// The filter that lets a path through if both of its filters do.
///
/// A folder that one filter excludes, and in which the other includes something, is there only if both
/// include something below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Filter, B: Filter> Filter for Both<A, B> {
    type State = (A::State, B::State);

    fn root(&self) -> Self::State {
        (self.0.root(), self.1.root())
    }

    fn enter(&self, (left, right): &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State) {
        let (left_verdict, left) = self.0.enter(left, path, kind);
        let (right_verdict, right) = self.1.enter(right, path, kind);
        let verdict = match (left_verdict, right_verdict) {
            (Verdict::Included, Verdict::Included) => Verdict::Included,
            _ => Verdict::Excluded,
        };
        (verdict, (left, right))
    }

    fn below(&self, (left, right): &Self::State) -> Option<bool> {
        match (self.0.below(left), self.1.below(right)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn forgotten(&self, (left, right): &Self::State) -> bool {
        self.0.forgotten(left) || self.1.forgotten(right)
    }
}

/// A filter that may be left out; without one every path counts.
impl<F: Filter> Filter for Option<F> {
    type State = Option<F::State>;

    fn root(&self) -> Self::State {
        self.as_ref().map(Filter::root)
    }

    fn enter(&self, state: &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State) {
        match self.as_ref().zip(state.as_ref()) {
            Some((filter, state)) => {
                let (verdict, below) = filter.enter(state, path, kind);
                (verdict, Some(below))
            }
            None => (Verdict::Included, None),
        }
    }

    fn below(&self, state: &Self::State) -> Option<bool> {
        self.as_ref().zip(state.as_ref()).map_or(Some(true), |(filter, state)| filter.below(state))
    }

    fn forgotten(&self, state: &Self::State) -> bool {
        self.as_ref().zip(state.as_ref()).is_some_and(|(filter, state)| filter.forgotten(state))
    }
}

impl<F: Filter + ?Sized> Filter for &F {
    type State = F::State;

    fn root(&self) -> Self::State {
        (**self).root()
    }

    fn enter(&self, state: &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State) {
        (**self).enter(state, path, kind)
    }

    fn below(&self, state: &Self::State) -> Option<bool> {
        (**self).below(state)
    }

    fn forgotten(&self, state: &Self::State) -> bool {
        (**self).forgotten(state)
    }
}
