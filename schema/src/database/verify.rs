//! Verification: every document readable, every index equal to its documents, every link in both directions.

use super::{Database, Error};
use serde::Serialize;

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Documents read.
    pub documents: u64,
    /// Index entries and links read.
    pub entries: u64,
    /// What is wrong, one sentence each, at most 100.
    pub problems: Vec<String>,
}

/// An index, for the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexInfo {
    /// The collection's type name.
    pub collection: String,
    /// Its name.
    pub name: String,
    /// The fields it sorts by, dotted through embedded values.
    pub fields: Vec<String>,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether queries may read it.
    pub ready: bool,
    /// Made for a relation.
    pub relation: bool,
}

impl Database {
    /// Reads everything at one snapshot and compares.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn verify(&self) -> Result<VerifyReport, Error> {
        todo!()
    }
    /// All indexes.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn indexes(&self) -> Result<Vec<IndexInfo>, Error> {
        todo!()
    }
}
