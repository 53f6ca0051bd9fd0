//! The bytes of index entries, links and sequences, on record: what `docs/format.md` draws.

#![allow(clippy::unwrap_used)]

mod stage;

use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use stage::{DATABASE, Stage, input, run};
use vivarium_schema::catalog::FieldKind;
use vivarium_schema::write::{Writer, entries::of_document};
use vivarium_schema::{GlobalId, sdl};
use vivarium_storage::{DatabaseId, Document, DocumentBuilder, DocumentId, KeyRange, Space, Value, key::KEY_BYTES_MAX};

const SCHEMA: &str = r#"
type Thing @collection @unique(fields: ["kind", "code"]) @index(fields: ["home.city", "tags"]) {
  id: ID!
  kind: Kind
  code: String
  tags: [String]
  home: Home
  number: Int! @autoIncrement(start: 5) @unique
  owner: Owner
  parts: [Part!]! @default(value: [])
  friends: [Owner!]! @relation(inverse: "things")
}
enum Kind { BIG SMALL }
type Home { city: String }
type Part { owner: Owner }
type Owner @collection { id: ID! things: [Thing!]! @relation(inverse: "friends") }
"#;

fn id(last: u8) -> DocumentId {
    let mut bytes = [0x11; 16];
    bytes[15] = last;
    DocumentId(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn entries_links_and_sequences_are_on_record() {
    run(async {
        let stage = Stage::open(SCHEMA).await;
        let create = async |collection: &str, last: u8, mut data: Json| {
            let collection = stage.collection(collection);
            data["id"] = json!(GlobalId { collection: collection.id, document: id(last) }.to_string());
            let data = input(data);
            let done = stage.write(async |writer: &mut Writer<'_>| writer.create_one(collection, &data, &[]).await);
            done.await.unwrap()
        };
        let owner = GlobalId { collection: stage.collection("Owner").id, document: id(0xaa) }.to_string();
        create("Owner", 0xaa, json!({})).await;
        let full = json!({
            "kind": "SMALL", "code": "c", "tags": ["x", null, "x"], "home": { "city": "Bonn" }, "number": 7,
            "owner": { "connect": { "id": owner } }, "parts": [{ "owner": owner }, { "owner": null }],
            "friends": { "connect": [{ "id": owner }] }
        });
        create("Thing", 1, full).await;
        create("Thing", 2, json!({ "code": "c" })).await;
        let mut lines = Vec::new();
        let thing = stage.collection("Thing");
        let mut name = |id: vivarium_storage::IndexId, what: String, key: &[u8], value: &[u8]| {
            let (head, rest) = key.split_at(8);
            assert_eq!(head, [DATABASE.0.to_be_bytes(), id.0.to_be_bytes()].concat());
            lines.push(format!("{what}: {} -> {}", hex(rest), hex(value)));
        };
        for index in &thing.indexes {
            let range = KeyRange::prefix(&vivarium_storage::key::index(DATABASE, index.id));
            for (key, cell) in stage.rows(Space::Index, range).await {
                name(index.id, index.name.clone(), &key, &cell.value);
            }
        }
        for (collection, field) in [("Thing", "friends"), ("Owner", "things")] {
            let field = stage.collection(collection).field_named(field).unwrap();
            let FieldKind::ManyToMany { links, .. } = field.kind else { panic!("no links") };
            let range = KeyRange::prefix(&vivarium_storage::key::index(DATABASE, links));
            for (key, cell) in stage.rows(Space::Index, range).await {
                name(links, format!("{collection}.{}", field.name), &key, &cell.value);
            }
        }
        for (key, cell) in stage.rows(Space::Meta, KeyRange::prefix(&[4])).await {
            lines.push(format!("sequence: {} -> {}", hex(&key), hex(&cell.value)));
        }
        assert_snapshot!(lines.join("\n"), @r#"
owner: 0211111111111111111111111111111102 -> 
owner: 48111111111111111111111111111111aa11111111111111111111111111111101 -> 
parts_owner: 0211111111111111111111111111111101 -> 
parts_owner: 48111111111111111111111111111111aa11111111111111111111111111111101 -> 
kind_code: 0230630011111111111111111111111111111102 -> 11111111111111111111111111111102
kind_code: 1a02306300 -> 11111111111111111111111111111101
number: 1a0e -> 11111111111111111111111111111101
number: 1a10 -> 11111111111111111111111111111102
home_city_tags: 30426f6e6e000211111111111111111111111111111101 -> 
home_city_tags: 30426f6e6e0030780011111111111111111111111111111101 -> 
Thing.friends: 4811111111111111111111111111111101111111111111111111111111111111aa -> 
Owner.things: 48111111111111111111111111111111aa11111111111111111111111111111101 -> 
sequence: 0400000001000000010005 -> 000000000000006c
"#);
    });
}

#[test]
fn a_value_that_is_longer_than_a_key_is_refused_by_name() {
    let catalog = sdl::declare(SCHEMA, None).unwrap();
    let thing = catalog.collection_named("Thing").unwrap();
    let code = thing.field_named("code").unwrap().id;
    let index = thing.indexes.iter().find(|index| index.name == "kind_code").unwrap();
    let of = |length: usize| {
        let mut fields = DocumentBuilder::new();
        fields.set(code, Value::String("x".repeat(length)));
        let bytes = fields.finish(1, None).unwrap();
        of_document(&catalog, DatabaseId(1), thing, index, id(1), Document::trusted(&bytes))
    };
    // Database, index, a null, the string's type and end, the id.
    let longest = KEY_BYTES_MAX - 8 - 1 - 2 - 16;
    assert_eq!(of(longest).unwrap()[0].0.len(), KEY_BYTES_MAX);
    assert_snapshot!(of(longest + 1).unwrap_err().message, @r#"kind with code of Thing is indexed, and an index takes at most 4096 bytes, not 4097: shorten it, or drop the index kind_code."#);
}
