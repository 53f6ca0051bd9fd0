//! A run as a page for people: one file without a network, with all that is needed to see what went wrong.
//!
//! What is drawn is data (`picture.rs`); the page only shows it.

mod page;
mod picture;
mod words;

pub use page::page;
pub use picture::Picture;

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
