//! What a process has, and a server does not want twice: signals, programs that it starts, timings.

pub(crate) mod child;
pub(crate) mod signals;
pub(crate) mod timings;
