//! Vivarium.
fn main() {}
