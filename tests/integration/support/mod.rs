//! The parts that the integration tests share. Start with [`dtbuild::Dtbuild`].

pub(crate) mod base;
pub(crate) mod dtbuild;
pub(crate) mod odd;
pub(crate) mod registry;
pub(crate) mod repo;
pub(crate) mod schema;
