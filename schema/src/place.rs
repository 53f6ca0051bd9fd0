//! Where in an operation's arguments a value stands: what failures call `inputPath`.
//!
//! A place is a chain on the stack, so that inputs without errors cost no allocation.

use crate::{Code, Failure, PathItem};

/// A place in the arguments.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Where the caller said that the input stands.
    Root(&'a [PathItem]),
    /// As `Root`, but what is written there is not part of the input: all below it counts as here.
    Whole(&'a [PathItem]),
    /// A field of an input object.
    Name(&'a Place<'a>, &'a str),
    /// An element of a list.
    Index(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    pub(crate) fn name(&'a self, name: &'a str) -> Place<'a> {
        Place::Name(self, name)
    }

    pub(crate) fn at(&'a self, index: usize) -> Place<'a> {
        Place::Index(self, index)
    }

    /// The whole path.
    pub(crate) fn path(&self) -> Vec<PathItem> {
        match self {
            Place::Root(path) | Place::Whole(path) => path.to_vec(),
            Place::Name(up, _) | Place::Index(up, _) if up.is_whole() => up.path(),
            Place::Name(up, name) => with(up.path(), PathItem::Name((*name).to_owned())),
            Place::Index(up, index) => with(up.path(), PathItem::Index(*index)),
        }
    }

    fn is_whole(&self) -> bool {
        match self {
            Place::Root(_) => false,
            Place::Whole(_) => true,
            Place::Name(up, _) | Place::Index(up, _) => up.is_whole(),
        }
    }

    /// A failure here.
    pub(crate) fn fail(&self, code: Code, message: impl Into<String>) -> Failure {
        self.blame(Failure::new(code, message))
    }

    /// The same failure, said to be here.
    pub(crate) fn blame(&self, failure: Failure) -> Failure {
        let path = serde_json::to_value(self.path()).expect("names and numbers are JSON");
        failure.with("inputPath", path)
    }
}

fn with(mut path: Vec<PathItem>, item: PathItem) -> Vec<PathItem> {
    path.push(item);
    path
}
