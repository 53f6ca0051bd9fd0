//! A small shop: its schema, writes by collection name, and failures as texts that do not change from run to run.

use super::{DATABASE, Stage, input};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use vivarium_schema::catalog::{Field, FieldKind};
use vivarium_schema::write::{Edit, Writer, find};
use vivarium_schema::{Failure, GlobalId, PathItem, scalar};
use vivarium_storage::{Document, DocumentId, KeyRange, Space, ValueRef, key};

pub const SHOP: &str = r#"
type Customer @collection @unique(fields: ["tenant", "customerNo"]) @index(fields: ["status", "name"]) {
  id: ID!
  tenant: String!
  customerNo: Int!
  email: Email @unique
  name: String! @index
  tags: [String!]! @default(value: []) @index
  status: Status! @default(value: ACTIVE)
  points: Int! @default(value: 0) @check(expr: { gte: 0 }, message: "Points cannot be spent twice.")
  credit: Decimal @precision(digits: 6, scale: 2)
  address: Address
  createdAt: DateTime! @default(now: true) @readOnly
  updatedAt: DateTime! @updatedAt
  orders: [Order!]! @relation(inverse: "customer", onDelete: RESTRICT)
  profile: Profile @relation(inverse: "customer")
}
enum Status { ACTIVE BLOCKED }
type Address { street: String! zip: String country: CountryCode! floor: Int @check(expr: { gte: 0 }) }
type Profile @collection { id: ID! customer: Customer! @relation(inverse: "profile", onDelete: CASCADE) bio: String }
type Order @collection {
  id: ID!
  number: BigInt! @autoIncrement(start: 100) @unique
  customer: Customer! @relation(inverse: "orders")
  lines: [Line!]! @default(value: [])
  notes: [Note!]! @relation(inverse: "order", onDelete: CASCADE)
}
type Line { product: Product! sku: String! }
type Note @collection { id: ID! text: String! order: Order! @relation(inverse: "notes") replyTo: Note @relation(inverse: "replies") replies: [Note!]! @relation(inverse: "replyTo", onDelete: SET_NULL) }
type Product @collection { id: ID! sku: String! @unique categories: [Category!]! @relation(inverse: "products") stock: Int! @default(value: 0) @check(expr: { gte: 0 }) }
type Category @collection { id: ID! slug: String! @unique products: [Product!]! @relation(inverse: "categories", onDelete: RESTRICT) related: [Category!]! parent: Category @relation(inverse: "children", onDelete: CASCADE) children: [Category!]! @relation(inverse: "parent") }
"#;

pub fn path(items: &[&str]) -> Vec<PathItem> {
    items.iter().map(|item| PathItem::Name((*item).to_owned())).collect()
}

pub async fn create(stage: &Stage, collection: &str, data: Json) -> Result<DocumentId, Failure> {
    let data = input(data);
    let collection = stage.collection(collection);
    stage.write(async |writer: &mut Writer<'_>| writer.create_one(collection, &data, &path(&["data"])).await).await
}

pub async fn create_many(stage: &Stage, collection: &str, data: Vec<Json>) -> Result<Vec<DocumentId>, Failure> {
    let data: Vec<_> = data.into_iter().map(input).collect();
    let collection = stage.collection(collection);
    stage.write(async |writer: &mut Writer<'_>| writer.create(collection, &data, &path(&["data"])).await).await
}

pub async fn update(stage: &Stage, collection: &str, by: Json, data: Json) -> Result<(), Failure> {
    let (by, data) = (input(by), input(data));
    let collection = stage.collection(collection);
    stage
        .write(async |writer: &mut Writer<'_>| {
            let (catalog, database) = (writer.catalog, writer.database);
            let id = find(catalog, database, writer.transaction, collection, &by, &path(&["by"])).await?.unwrap();
            writer.update(collection, &[id], &Edit::of(data)).await
        })
        .await
}

pub async fn delete(stage: &Stage, collection: &str, id: DocumentId) -> Result<(), Failure> {
    let collection = stage.collection(collection);
    stage.write(async |writer: &mut Writer<'_>| writer.delete(collection, &[id], &path(&["by"])).await).await
}

/// Ids as their collection and their place in order of creation, so that texts stay the same.
#[derive(Default)]
pub struct Names(pub BTreeMap<String, String>);

impl Names {
    pub fn add(&mut self, stage: &Stage, collection: &str, id: DocumentId, name: &str) -> DocumentId {
        self.0.insert(global(stage, collection, id), name.to_owned());
        id
    }
    pub fn say<T>(&self, result: Result<T, Failure>) -> String {
        let Err(failure) = result else { return "done".to_owned() };
        let extra: serde_json::Map<String, Json> =
            failure.extra.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut text = format!("{:?}: {}\n{}", failure.code, failure.message, Json::Object(extra));
        for (id, name) in &self.0 {
            text = text.replace(id, name);
        }
        text
    }
}

pub fn global(stage: &Stage, collection: &str, document: DocumentId) -> String {
    GlobalId { collection: stage.collection(collection).id, document }.to_string()
}

pub fn say<T>(result: Result<T, Failure>) -> String {
    Names::default().say(result)
}

/// A document as JSON: stored fields only.
pub async fn show(stage: &Stage, collection: &str, id: DocumentId) -> Json {
    let collection = stage.collection(collection);
    let range = KeyRange::prefix(&key::document(DATABASE, collection.id, id));
    let rows = stage.rows(Space::Document, range).await;
    let Some((_, cell)) = rows.first() else { return Json::Null };
    let document = Document::open(&cell.value).unwrap();
    fields(stage, &collection.fields, |field| document.field(field.id))
}

pub fn fields<'a>(stage: &Stage, fields: &[Field], value: impl Fn(&Field) -> ValueRef<'a>) -> Json {
    let stored = fields.iter().filter(|field| field.is_stored());
    Json::Object(stored.map(|field| (field.name.clone(), json_of(stage, field, value(field)))).collect())
}

pub fn json_of(stage: &Stage, field: &Field, value: ValueRef<'_>) -> Json {
    match (field.kind, value) {
        (_, ValueRef::Null) => Json::Null,
        (FieldKind::Scalar(_) | FieldKind::Embedded(_) | FieldKind::Enum(_), ValueRef::List(items))
            if field.list.is_some() =>
        {
            Json::Array(items.iter().map(|item| json_of(stage, field, item)).collect())
        }
        (FieldKind::Embedded(id), ValueRef::Record(record)) => {
            fields(stage, &stage.catalog.embedded(id).unwrap().fields, |field| record.field(field.id))
        }
        (FieldKind::Enum(id), ValueRef::Int(number)) => {
            json!(stage.catalog.enum_type(id).unwrap().value(number).unwrap().name)
        }
        (FieldKind::Scalar(scalar), value) => {
            let mut out = Vec::new();
            scalar::write_json(scalar, value, &mut out);
            serde_json::from_slice(&out).unwrap()
        }
        (_, ValueRef::Uuid(_)) => json!("(reference)"),
        other => panic!("{other:?}"),
    }
}

pub fn customer(no: i32, more: Json) -> Json {
    let mut data = json!({ "tenant": "acme", "customerNo": no, "name": format!("Customer {no}") });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data
}
