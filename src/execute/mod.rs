//! Carries a plan out. Start with [`scheduler`], which builds and pushes; [`events`] is what it tells.

mod attempt;
pub mod events;
pub mod scheduler;

pub use attempt::Attempts;
