//! Folds as data: what the records of a list add up to, all together and by groups.

use super::filter::Filter;
use super::table::{Kind, Table};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What records add up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Of which table.
    pub of: Table,
    /// Which records; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// The fields that are folded.
    pub fields: Vec<String>,
    /// The groups beside the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
}

/// A page of groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Records that are equal in all of these fields are a group.
    pub by: Vec<String>,
    /// Groups of fewer records are left out.
    pub least: u64,
    /// The largest come first; else they come in the order of their keys.
    #[serde(default)]
    pub largest_first: bool,
    /// So many are shown.
    pub first: u64,
    /// So many before them are not.
    pub offset: u64,
}

impl Groups {
    /// All of them.
    pub fn by(fields: &[&str]) -> Groups {
        let by = fields.iter().map(|field| (*field).to_owned()).collect();
        Groups { by, least: 0, largest_first: false, first: 1000, offset: 0 }
    }

    /// True when none is left out.
    pub fn are_all(&self) -> bool {
        self.least <= 1 && self.offset == 0 && self.first == 1000
    }
}

/// What is selected of records that are folded.
pub fn selection(of: Table, fields: &[String]) -> String {
    let mut selection = String::from("aggregate { count");
    for field in fields {
        let _ = write!(selection, " {field} {{ {} }}", parts(of.kind(field)).join(" "));
    }
    selection + " }"
}

/// What is asked of a field. A sum of the greatest whole numbers is none that can be answered: it is not asked for.
pub fn parts(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Int | Kind::Float => &["count", "countDistinct", "sum", "avg", "min", "max"],
        Kind::BigInt => &["count", "countDistinct", "min", "max"],
        _ => &["count", "countDistinct"],
    }
}
