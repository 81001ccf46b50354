//! The parts that a process has only once: a runtime ([`block_on`], [`on_workers`]), the [`Signals`] that end a run,
//! the child programs that a run starts ([`child`]) and their [`supervisor`], the [`Timings`] of a run's phases, and the
//! [`exit`]. Start with [`block_on`].

pub(crate) mod child;
mod clock;
mod runtime;
mod signals;
mod stat;
pub mod supervisor;
mod timings;

pub(crate) use clock::since_boot;
pub use runtime::{block_on, on_workers};
pub use signals::Signals;
pub(crate) use stat::ProcessStat;
pub use timings::Timings;

/// Ends the process at once with an exit code: the system frees memory and connections faster than the program would.
pub fn exit(code: u8) -> ! {
    std::process::exit(i32::from(code))
}
