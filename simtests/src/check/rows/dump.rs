//! All tables, read through the API at one snapshot; each record must show what the others say of it.

use super::expected::same;
use super::tables::{Row, Tables};
use crate::workload::rows::filter::Datum;
use crate::workload::rows::table::{Kind, Table};
use serde_json::Value;

/// Reads everything. `first` is above what the workloads ever make; where each record has a list, that costs more.
pub fn document() -> String {
    let list = |table: &Table| {
        let (_, many) = table.words();
        let first = if table.fields().iter().any(|field| field.kind.is_list()) { 200 } else { 1000 };
        format!("{many}(first: {first}) {{ totalCount nodes {{ {} }} pageInfo {{ hasNextPage }} }}", table.selection())
    };
    format!("query {{ {} }}", Table::ALL.iter().map(list).collect::<Vec<_>>().join(" "))
}

impl Tables {
    /// The `data` of [`document`] as tables.
    ///
    /// # Errors
    /// When something is there twice, not all is shown, or two sides of a relation disagree.
    pub fn parse(data: &Value) -> Result<Tables, String> {
        let mut tables = Tables::default();
        for table in Table::ALL {
            let (_, many) = table.words();
            let list = &data[many];
            let nodes = list["nodes"].as_array().ok_or_else(|| format!("{many} have no nodes"))?;
            if list["pageInfo"]["hasNextPage"] != false || list["totalCount"] != nodes.len() {
                return Err(format!("of {} {many} {} were listed", list["totalCount"], nodes.len()));
            }
            for node in nodes {
                let name = node["name"].as_str().ok_or_else(|| format!("{node} has no name"))?;
                let row = row(table, node).ok_or_else(|| format!("{node} is none of {many}"))?;
                if tables.put(table, name, row).is_some() {
                    return Err(format!("two {many} are called {name}"));
                }
            }
        }
        for table in Table::ALL {
            let (one, many) = table.words();
            for node in data[many]["nodes"].as_array().into_iter().flatten() {
                let name = node["name"].as_str().unwrap_or_default();
                let shown = tables.show(table, name);
                if !same(node, &shown) {
                    return Err(format!("{one} {name} is shown as {node}, but by what others refer to it is {shown}"));
                }
            }
        }
        Ok(tables)
    }
}

/// What a record holds itself.
fn row(table: Table, node: &Value) -> Option<Row> {
    let mut row = Row::default();
    for field in table.fields() {
        let value = &node[field.name];
        let datum = match field.kind {
            Kind::Many(..) | Kind::Linked(..) => continue,
            _ if value.is_null() => continue,
            Kind::Int => Datum::Int(value.as_i64()?),
            Kind::BigInt => Datum::Int(value.as_str()?.parse().ok()?),
            Kind::Float => Datum::Float(value.as_f64()?),
            Kind::Text | Kind::Enum(_) => Datum::Text(value.as_str()?.to_owned()),
            Kind::Ints => Datum::Ints(value.as_array()?.iter().map(Value::as_i64).collect::<Option<_>>()?),
            Kind::One(..) => Datum::Text(value["name"].as_str()?.to_owned()),
            Kind::Links(_) => {
                let nodes = value["nodes"].as_array()?.iter();
                Datum::Names(nodes.map(|node| Some(node["name"].as_str()?.to_owned())).collect::<Option<_>>()?)
            }
        };
        row.fields.insert(field.name.to_owned(), datum);
    }
    if table.is_versioned() {
        row.version = node["_meta"]["version"].as_str()?.parse().ok()?;
    }
    Some(row)
}
