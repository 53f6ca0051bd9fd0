//! The rows of Chinook's `import` folder, created through the API.

use crate::server::Server;
use serde_json::{Map, Value, json};
use std::path::Path;

/// In this order: what is referred to comes first.
const COLLECTIONS: [(&str, &str, &str); 10] = [
    ("Artist", "createArtists", "ArtistCreate"),
    ("Genre", "createGenres", "GenreCreate"),
    ("MediaType", "createMediaTypes", "MediaTypeCreate"),
    ("Album", "createAlbums", "AlbumCreate"),
    ("Track", "createTracks", "TrackCreate"),
    ("Playlist", "createPlaylists", "PlaylistCreate"),
    ("Employee", "createEmployees", "EmployeeCreate"),
    ("Customer", "createCustomers", "CustomerCreate"),
    ("Invoice", "createInvoices", "InvoiceCreate"),
    ("InvoiceLine", "createInvoiceLines", "InvoiceLineCreate"),
];
const BATCH: usize = 500;

/// Imports everything, and says how many rows that was.
pub async fn import(server: &Server, folder: &Path) -> usize {
    let mut count = 0;
    for (name, field, create) in COLLECTIONS {
        let lines = std::fs::read_to_string(folder.join("import").join(format!("{name}.jsonl"))).unwrap();
        let rows: Vec<Value> = lines.lines().map(|line| record(serde_json::from_str(line).unwrap())).collect();
        let query = format!("mutation($data: [{create}!]!) {{ {field}(data: $data) {{ affectedCount }} }}");
        count += rows.len();
        for rows in rows.chunks(BATCH) {
            let data = server.data(&query, json!({ "data": rows })).await;
            assert_eq!(data[field]["affectedCount"], json!(rows.len()));
        }
    }
    count
}

/// Keys of other records become `connect`.
fn record(row: Map<String, Value>) -> Value {
    let member = |(name, value): (String, Value)| match value {
        Value::Object(_) => (name, json!({ "connect": value })),
        Value::Array(keys) if keys.is_empty() => (name, Value::Null),
        Value::Array(_) => (name, json!({ "connect": value })),
        other => (name, other),
    };
    row.into_iter().map(member).filter(|(_, value)| !value.is_null()).collect()
}
