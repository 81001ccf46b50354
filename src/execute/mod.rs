//! The execution of a plan. Start with [`scheduler`], which builds and pushes on the builders of [`pool`];
//! [`events`](crate::events) are the scheduler's reports.

mod attempt;
pub mod pool;
pub mod scheduler;

pub use attempt::Attempts;
