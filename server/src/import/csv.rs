//! Comma-separated values under a header row: columns are fields, `artist.artistId` is a field of a relation's key.

use super::lines::{Counted, Next, Problem, Row, RowError};
use crate::cli::{Exit, Failure};
use csv::{ReaderBuilder, StringRecord};
use std::io::BufReader;
use vivarium_schema::Catalog;
use vivarium_schema::catalog::{Collection, Field, FieldKind, Scalar};

/// Records of a file, as rows in the line format.
pub struct CsvRows {
    reader: csv::Reader<BufReader<Counted>>,
    record: StringRecord,
    columns: Vec<Column>,
}

/// A column: the way to its value, and how a cell is read.
struct Column {
    path: Vec<String>,
    cell: Cell,
}

/// How a cell's text becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// As a string: text, dates, decimals, enums, ids.
    Text,
    /// As it stands, a whole number.
    Whole,
    /// As it stands, any number.
    Number,
    /// true or false.
    Truth,
    /// As it stands, JSON: lists, lists of keys, JSON fields.
    Json,
}

impl CsvRows {
    /// Reads the header.
    ///
    /// # Errors
    /// A column that is no field, or a file that is no CSV.
    pub fn begin(reader: Counted, name: &str, catalog: &Catalog, collection: &Collection) -> Result<CsvRows, Failure> {
        let mut reader = ReaderBuilder::new().flexible(false).from_reader(BufReader::with_capacity(1 << 16, reader));
        let header = reader.headers().map_err(|error| {
            Failure::new(Exit::Refused, format!("The header row of {name} cannot be read: {error}."))
        })?;
        let mut columns: Vec<Column> = Vec::with_capacity(header.len());
        for title in header {
            let path: Vec<String> = title.trim().trim_start_matches('\u{feff}').split('.').map(str::to_owned).collect();
            let cell = cell_of(catalog, collection, &path)
                .ok_or_else(|| Failure::new(Exit::Refused, unknown_column(name, title, collection)))?;
            if columns.iter().any(|column| column.path == path) {
                return Err(Failure::new(Exit::Refused, format!("The column \"{title}\" of {name} is there twice.")));
            }
            columns.push(Column { path, cell });
        }
        Ok(CsvRows { reader, record: StringRecord::new(), columns })
    }

    /// The next record as a row.
    pub fn next(&mut self) -> Option<Next> {
        match self.reader.read_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                let line = self.record.position().map_or(0, csv::Position::line);
                Some(self.row(line))
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let reason = error.to_string();
                Some(Err(match error.into_kind() {
                    csv::ErrorKind::Io(error) => RowError::Unreadable(error),
                    _ => {
                        let reason = format!("The record cannot be read: {reason}.");
                        RowError::Wrong(Problem { line, field: String::new(), reason }, String::new())
                    }
                }))
            }
        }
    }

    fn row(&self, line: u64) -> Next {
        let mut tree = serde_json::Map::new();
        for (column, text) in self.columns.iter().zip(&self.record) {
            if text.is_empty() {
                continue;
            }
            let value = read_cell(column.cell, text).map_err(|reason| {
                let shown = self.record.iter().collect::<Vec<_>>().join(",");
                RowError::Wrong(Problem { line, field: column.path.join("."), reason }, shown)
            })?;
            place(&mut tree, &column.path, value);
        }
        Ok(Row { line, text: serde_json::Value::Object(tree).to_string() })
    }
}

fn place(tree: &mut serde_json::Map<String, serde_json::Value>, path: &[String], value: serde_json::Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        tree.insert(first.clone(), value);
        return;
    }
    let inner = tree.entry(first.clone()).or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()));
    if let serde_json::Value::Object(inner) = inner {
        place(inner, rest, value);
    }
}

fn read_cell(cell: Cell, text: &str) -> Result<serde_json::Value, String> {
    match cell {
        Cell::Text => Ok(serde_json::Value::String(text.to_owned())),
        Cell::Whole => match text.trim().parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(format!("\"{text}\" is not a whole number.")),
        },
        Cell::Number => match serde_json::from_str::<serde_json::Number>(text.trim()) {
            Ok(number) => Ok(serde_json::Value::Number(number)),
            Err(_) => Err(format!("\"{text}\" is not a number.")),
        },
        Cell::Truth => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true.into()),
            "false" | "0" => Ok(false.into()),
            _ => Err(format!("\"{text}\" is neither true nor false.")),
        },
        Cell::Json => serde_json::from_str(text).map_err(|error| format!("The cell must hold JSON: {error}.")),
    }
}

/// How cells under this path are read; `None` when the path leads to no field.
fn cell_of(catalog: &Catalog, collection: &Collection, path: &[String]) -> Option<Cell> {
    if matches!(path, [id] if id == "id") {
        return Some(Cell::Text);
    }
    in_fields(catalog, &collection.fields, path)
}

fn in_fields(catalog: &Catalog, fields: &[Field], path: &[String]) -> Option<Cell> {
    let (first, rest) = path.split_first()?;
    let field = fields.iter().find(|field| field.name == *first)?;
    match &field.kind {
        _ if rest.is_empty() && (field.list.is_some() || field.is_to_many()) => Some(Cell::Json),
        FieldKind::Scalar(scalar) if rest.is_empty() => Some(of_scalar(*scalar)),
        FieldKind::Enum(_) if rest.is_empty() => Some(Cell::Text),
        FieldKind::Embedded(_) if rest.is_empty() => Some(Cell::Json),
        FieldKind::Embedded(id) if field.list.is_none() => in_fields(catalog, &catalog.embedded(*id)?.fields, rest),
        // Without a key's name: the other record's id.
        FieldKind::ToOne { .. } | FieldKind::OneToOne { .. } if rest.is_empty() => Some(Cell::Text),
        FieldKind::ToOne { target, .. } | FieldKind::OneToOne { target, .. } => {
            // The last name is a field of the other record, also inside a compound key.
            let target = catalog.collection(*target)?;
            cell_of(catalog, target, std::slice::from_ref(rest.last()?))
        }
        _ => None,
    }
}

fn of_scalar(scalar: Scalar) -> Cell {
    match scalar {
        Scalar::Int => Cell::Whole,
        Scalar::Float => Cell::Number,
        Scalar::Boolean => Cell::Truth,
        Scalar::Json => Cell::Json,
        _ => Cell::Text,
    }
}

fn unknown_column(name: &str, title: &str, collection: &Collection) -> String {
    let fields: Vec<&str> = collection.fields.iter().map(|field| field.name.as_str()).collect();
    format!(
        "The column \"{title}\" of {name} is no field of {}. Fields are {}; a relation is written as field.key, as in \
         artist.artistId.",
        collection.name,
        fields.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::lines::counted;
    use super::super::translate::{test_catalog, test_translator};
    use super::*;

    fn rows(text: &str) -> Result<Vec<String>, String> {
        let catalog = test_catalog();
        let album = catalog.collection_named("Album").unwrap();
        let mut rows = CsvRows::begin(counted(text), "a.csv", &catalog, album).map_err(|failure| failure.message)?;
        let mut out = Vec::new();
        while let Some(next) = rows.next() {
            out.push(match next {
                Ok(row) => format!("{} {}", row.line, row.text),
                Err(RowError::Wrong(problem, _)) => format!("{} {}! {}", problem.line, problem.field, problem.reason),
                Err(RowError::Unreadable(error)) => panic!("{error}"),
            });
        }
        Ok(out)
    }

    #[test]
    fn cells_take_the_types_of_their_fields() {
        let text = "albumId,title,artist.artistId,place.city,place.zip,tags,price,sold\n\
                    1,\"A, \"\"b\"\"\",2,C,3,\"[{\"\"slug\"\":\"\"x\"\"}]\",1.10,true\n2,B,,,,,,0\n";
        let rows = rows(text).unwrap();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        2 {"albumId":1,"title":"A, \"b\"","artist":{"artistId":2},"place":{"city":"C","zip":3},"tags":[{"slug":"x"}],"price":"1.10","sold":true}
        3 {"albumId":2,"title":"B","sold":false}
        "#);
        let mut out = String::new();
        test_translator("Album").translate(2, rows[0].split_once(' ').unwrap().1, &mut out).unwrap();
        assert!(out.contains("\"artist\":{\"connect\":{\"artistId\":2}}"), "{out}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(
            rows("albumId,title\nx,A\n1\n2,B\n").unwrap(),
            [
                "2 albumId! \"x\" is not a whole number.",
                "3 ! The record cannot be read: CSV error: record 2 (line: 3, byte: 18): found record with 1 fields, but the previous record has 2 fields.",
                "4 {\"albumId\":2,\"title\":\"B\"}"
            ]
        );
        assert!(rows("nope\n1\n").unwrap_err().contains("\"nope\""));
        assert!(rows("title,title\na,b\n").unwrap_err().contains("twice"));
        assert!(rows("artist.nope\n1\n").unwrap_err().contains("artist.nope"));
    }
}
