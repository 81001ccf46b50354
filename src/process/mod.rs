//! What a process has, and a server does not want twice: a runtime ([`block_on`], [`on_workers`]), the
//! [`Signals`] that end a run, the child programs that it starts ([`child`]), the [`Timings`] of its phases,
//! and its [`exit`].

pub(crate) mod child;
mod runtime;
mod signals;
mod timings;

pub use runtime::{block_on, on_workers};
pub use signals::Signals;
pub use timings::Timings;

/// Ends the process with an exit code, at once: its memory and connections go with it, faster than piece by piece.
pub fn exit(code: u8) -> ! {
    std::process::exit(i32::from(code))
}
