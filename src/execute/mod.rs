//! Carries a plan out: builds, pushes, moves tags. Start with [`events`].

pub mod events;
