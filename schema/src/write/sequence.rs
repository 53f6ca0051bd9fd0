//! Numbers for `@autoIncrement`: unique and rising, with gaps, taken from a reserved block so that creates do not conflict.

/// The sequences of one database on this node. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sequences {
    _private: (),
}
