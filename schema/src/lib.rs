//! Vivarium.
