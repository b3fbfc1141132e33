//! Integration: which tasks, in which order, merged in private and published at once.

pub mod conflict;
