//! A walk over the pages of a list: to its end, and perhaps back, all at the version of its first page.
//!
//! Each page knows what came before it, so that it can be checked by itself.

use super::filter::{Filter, OrderKey};
use super::table::Table;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From the first record to the last.
    Forward,
    /// To the last, and from the page that holds it back to the first.
    ThereAndBack,
    /// From the last record to the first.
    Backward,
}

/// A page of a walk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// Over which table.
    pub of: Table,
    /// Records of a page.
    pub size: u64,
    /// Where to.
    pub way: Way,
    /// All are counted too.
    #[serde(default)]
    pub counted: bool,
    /// By which fields. Records that are equal in all of them come in any order, but always the same.
    pub order: Vec<OrderKey>,
    /// Over which records; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// The cursor that the page begins behind, or ends before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Names of the records on the other side of the cursor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// The version that the first page was read at: all others must be too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

impl Walk {
    /// True when it goes on towards the first record.
    pub fn is_backward(&self) -> bool {
        self.way == Way::Backward
    }

    /// The next page.
    pub fn next(&self, answer: &Value, version: Option<u64>) -> Option<Walk> {
        let info = &answer["pageInfo"];
        let nodes = answer["nodes"].as_array()?;
        let names: Vec<String> = nodes.iter().filter_map(|node| Some(node["name"].as_str()?.to_owned())).collect();
        let (more, cursor) = match self.way {
            Way::Backward => ("hasPreviousPage", "startCursor"),
            Way::Forward | Way::ThereAndBack => ("hasNextPage", "endCursor"),
        };
        let at = self.at.or(version);
        if info[more] == true {
            let cursor = Some(info[cursor].as_str()?.to_owned());
            let seen = [&self.seen[..], &names[..]].concat();
            return Some(Walk { cursor, seen, at, ..self.clone() });
        }
        if self.way == Way::ThereAndBack && info["hasPreviousPage"] == true {
            let cursor = Some(info["startCursor"].as_str()?.to_owned());
            return Some(Walk { way: Way::Backward, cursor, seen: names, at, ..self.clone() });
        }
        None
    }
}
