//! Carries a plan out. Start with [`scheduler`], which builds and pushes on the builders of [`pool`];
//! [`events`](crate::events) is what it tells.

mod attempt;
pub mod pool;
pub mod scheduler;

pub use attempt::Attempts;
