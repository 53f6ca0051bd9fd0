//! What the write path does and refuses, case by case, with the words that clients read.

#![allow(clippy::unwrap_used)]

mod stage;

use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use stage::{DATABASE, Stage, input, run};
use std::collections::BTreeMap;
use vivarium_schema::catalog::{Field, FieldKind};
use vivarium_schema::write::{Sequences, Writer, find};
use vivarium_schema::{Failure, GlobalId, PathItem, scalar};
use vivarium_storage::key;
use vivarium_storage::{Document, DocumentId, Space, ValueRef};

const SHOP: &str = r#"
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

fn path(items: &[&str]) -> Vec<PathItem> {
    items.iter().map(|item| PathItem::Name((*item).to_owned())).collect()
}

async fn create(stage: &Stage, collection: &str, data: Json) -> Result<DocumentId, Failure> {
    let data = input(data);
    let collection = stage.collection(collection);
    stage.write(async |writer: &mut Writer<'_>| writer.create_one(collection, &data, &path(&["data"])).await).await
}

async fn create_many(stage: &Stage, collection: &str, data: Vec<Json>) -> Result<Vec<DocumentId>, Failure> {
    let data: Vec<_> = data.into_iter().map(input).collect();
    let collection = stage.collection(collection);
    stage.write(async |writer: &mut Writer<'_>| writer.create(collection, &data, &path(&["data"])).await).await
}

async fn update(stage: &Stage, collection: &str, by: Json, data: Json) -> Result<(), Failure> {
    let (by, data) = (input(by), input(data));
    let collection = stage.collection(collection);
    stage
        .write(async |writer: &mut Writer<'_>| {
            let (catalog, database) = (writer.catalog, writer.database);
            let id = find(catalog, database, writer.transaction, collection, &by, &path(&["by"])).await?.unwrap();
            writer.update(collection, id, &data, &path(&["data"])).await
        })
        .await
}

async fn delete(stage: &Stage, collection: &str, id: DocumentId) -> Result<(), Failure> {
    let collection = stage.collection(collection);
    stage.write(async |writer: &mut Writer<'_>| writer.delete(collection, id, &path(&["by"])).await).await
}

/// Ids as their collection and their place in order of creation, so that texts stay the same.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn add(&mut self, stage: &Stage, collection: &str, id: DocumentId, name: &str) -> DocumentId {
        self.0.insert(global(stage, collection, id), name.to_owned());
        id
    }
    fn say<T>(&self, result: Result<T, Failure>) -> String {
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

fn global(stage: &Stage, collection: &str, document: DocumentId) -> String {
    GlobalId { collection: stage.collection(collection).id, document }.to_string()
}

fn say<T>(result: Result<T, Failure>) -> String {
    Names::default().say(result)
}

/// A document as JSON: stored fields only.
async fn show(stage: &Stage, collection: &str, id: DocumentId) -> Json {
    let collection = stage.collection(collection);
    let range = vivarium_storage::KeyRange::prefix(&key::document(DATABASE, collection.id, id));
    let rows = stage.rows(Space::Document, range).await;
    let Some((_, cell)) = rows.first() else { return Json::Null };
    let document = Document::open(&cell.value).unwrap();
    fields(stage, &collection.fields, |field| document.field(field.id))
}

fn fields<'a>(stage: &Stage, fields: &[Field], value: impl Fn(&Field) -> ValueRef<'a>) -> Json {
    let stored = fields.iter().filter(|field| field.is_stored());
    Json::Object(stored.map(|field| (field.name.clone(), json_of(stage, field, value(field)))).collect())
}

fn json_of(stage: &Stage, field: &Field, value: ValueRef<'_>) -> Json {
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

fn customer(no: i32, more: Json) -> Json {
    let mut data = json!({ "tenant": "acme", "customerNo": no, "name": format!("Customer {no}") });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data
}

#[test]
fn a_create_fills_in_what_is_left_out() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let id = create(
            &stage,
            "Customer",
            customer(7, json!({ "credit": "12.5", "tags": "one", "address": { "street": "Main", "country": "DE" } })),
        )
        .await
        .unwrap();
        assert_snapshot!(serde_json::to_string_pretty(&show(&stage, "Customer", id).await).unwrap(), @r#"
{
  "tenant": "acme",
  "customerNo": 7,
  "email": null,
  "name": "Customer 7",
  "tags": [
    "one"
  ],
  "status": "ACTIVE",
  "points": 0,
  "credit": "12.50",
  "address": {
    "street": "Main",
    "zip": null,
    "country": "DE",
    "floor": null
  },
  "createdAt": "2026-01-01T00:00:00Z",
  "updatedAt": "2026-01-01T00:00:00Z"
}
"#);
        let order = create(
            &stage,
            "Order",
            json!({ "customer": { "connect": { "tenant_customerNo": { "tenant": "acme", "customerNo": 7 } } } }),
        )
        .await
        .unwrap();
        assert_snapshot!(show(&stage, "Order", order).await, @r#"{"number":"100","customer":"(reference)","lines":[]}"#);
        let order = create(
            &stage,
            "Order",
            json!({ "number": "250", "customer": { "connect": { "id": global(&stage, "Customer", id) } } }),
        )
        .await
        .unwrap();
        assert_snapshot!(show(&stage, "Order", order).await, @r#"{"number":"250","customer":"(reference)","lines":[]}"#);
        let order =
            create(&stage, "Order", json!({ "customer": { "connect": { "id": global(&stage, "Customer", id) } } }))
                .await
                .unwrap();
        assert_snapshot!(show(&stage, "Order", order).await, @r#"{"number":"251","customer":"(reference)","lines":[]}"#);
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn wrong_inputs_say_where_and_why() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let mut said = Vec::new();
        for data in [
            json!({ "tenant": "acme" }),
            customer(1, json!({ "name": null })),
            customer(1, json!({ "nickname": "x" })),
            customer(1, json!({ "createdAt": "2026-01-01T00:00:00Z" })),
            customer(1, json!({ "updatedAt": "2026-01-01T00:00:00Z" })),
            customer(1, json!({ "email": "nobody" })),
            customer(1, json!({ "status": "GONE" })),
            customer(1, json!({ "tags": ["a", null] })),
            customer(1, json!({ "credit": "1.234" })),
            customer(1, json!({ "address": { "street": "Main" } })),
            customer(1, json!({ "address": { "street": "Main", "country": "Germany" } })),
            customer(1, json!({ "address": "Main" })),
            customer(1, json!({ "orders": null })),
            customer(1, json!({ "orders": { "create": [] } })),
            customer(1, json!({ "orders": { "connect": [{ "number": 1, "id": "x" }] } })),
            customer(1, json!({ "orders": { "connect": [{ "number": "1" }] } })),
            customer(1, json!({ "profile": { "connect": { "id": "x" } } })),
            customer(1, json!({ "id": "x" })),
            customer(1, json!({ "points": -1 })),
            customer(1, json!({ "address": { "street": "Main", "country": "DE", "floor": -1 } })),
            customer(1, json!({ "name": "x".repeat(5000) })),
        ] {
            said.push(say(create(&stage, "Customer", data).await));
        }
        assert_snapshot!(said.join("\n"), @r#"
BadUserInput: Customer.customerNo is required: say what it is.
{"inputPath":["data","customerNo"]}
BadUserInput: Customer.name is required and cannot be null.
{"inputPath":["data","name"]}
BadUserInput: CustomerCreate has no field nickname.
{"inputPath":["data","nickname"]}
BadUserInput: Customer.createdAt is set by the server: leave it out.
{"inputPath":["data","createdAt"]}
BadUserInput: Customer.updatedAt is set by the server: leave it out.
{"inputPath":["data","updatedAt"]}
BadUserInput: Customer.email: "nobody" is no Email: it has no @.
{"inputPath":["data","email"]}
BadUserInput: Status is one of ACTIVE, BLOCKED, not "GONE".
{"inputPath":["data","status"]}
BadUserInput: Customer.tags takes no null among its elements.
{"inputPath":["data","tags",1]}
BadUserInput: Customer.credit: This Decimal takes 2 digits after the point (@precision), and "1.234" has 3: round it first.
{"inputPath":["data","credit"]}
BadUserInput: Address.country is required: say what it is.
{"inputPath":["data","address","country"]}
BadUserInput: Address.country: A CountryCode is two capital letters of ISO 3166-1, such as "DE", which "Germany" is not.
{"inputPath":["data","address","country"]}
BadUserInput: AddressInput is an object, not "Main".
{"inputPath":["data","address"]}
BadUserInput: A relation to many is an object with connect, disconnect or set, not null.
{"inputPath":["data","orders"]}
BadUserInput: This relation has no field create.
{"inputPath":["data","orders","create"]}
BadUserInput: OrderKey takes exactly one of id, number, not 2.
{"inputPath":["data","orders","connect",0]}
NotFound: There is no Order with number: "1".
{"type":"Order","key":{"number":"1"},"inputPath":["data","orders","connect",0]}
NotFound: There is no Profile with id: "x".
{"type":"Profile","key":{"id":"x"},"inputPath":["data","profile","connect"]}
BadUserInput: "x" is no id of Customer: use one that the server gave.
{"inputPath":["data","id"]}
CheckViolation: Points cannot be spent twice.
{"constraint":"Customer.points","fields":["points"],"inputPath":["data","points"]}
CheckViolation: Address.floor breaks its check: floor: { gte: 0 }.
{"constraint":"Address.floor","fields":["floor"],"inputPath":["data","address","floor"]}
BadUserInput: status with name of Customer is indexed, and an index takes at most 4096 bytes, not 5027: shorten it, or drop the index status_name.
{"constraint":"Customer.status_name","fields":["status","name"],"limit":4096,"inputPath":["data"]}
"#);
        let mut said = Vec::new();
        for customer in [
            json!(null),
            json!({}),
            json!({ "connect": { "email": "nobody@example.com" } }),
            json!({ "connect": { "name": "x" } }),
            json!({ "connect": { "email": null } }),
            json!({ "connect": { "tenant_customerNo": { "tenant": "acme" } } }),
            json!({ "connect": { "tenant_customerNo": "acme" } }),
            json!({ "connect": { "tenant_customerNo": { "tenant": "acme", "customerNo": 1, "x": 1 } } }),
            json!({ "connect": {} }),
            json!({ "disconnect": true }),
            json!("x"),
        ] {
            said.push(say(create(&stage, "Order", json!({ "customer": customer })).await));
        }
        assert_snapshot!(said.join("\n"), @r#"
BadUserInput: Order.customer is required and cannot be null.
{"inputPath":["data","customer"]}
BadUserInput: A relation takes connect with a key, or disconnect: true.
{"inputPath":["data","customer"]}
NotFound: There is no Customer with email: "nobody@example.com".
{"type":"Customer","key":{"email":"nobody@example.com"},"inputPath":["data","customer","connect"]}
BadUserInput: CustomerKey has no name: use one of id, tenant_customerNo, email.
{"inputPath":["data","customer","connect","name"]}
BadUserInput: Customer.email is needed here: null names no record.
{"inputPath":["data","customer","connect","email"]}
BadUserInput: Customer.customerNo is needed here: null names no record.
{"inputPath":["data","customer","connect","tenant_customerNo","customerNo"]}
BadUserInput: This key is an object with tenant, customerNo, not "acme".
{"inputPath":["data","customer","connect","tenant_customerNo"]}
BadUserInput: This key has no x: it is made of tenant, customerNo.
{"inputPath":["data","customer","connect","tenant_customerNo","x"]}
BadUserInput: CustomerKey takes exactly one of id, tenant_customerNo, email, not 0.
{"inputPath":["data","customer","connect"]}
BadUserInput: Order.customer is required and cannot be null.
{"inputPath":["data","customer"]}
BadUserInput: A relation is an object with connect, not "x".
{"inputPath":["data","customer"]}
"#);
        assert_eq!(
            stage.rows(Space::Document, vivarium_storage::KeyRange::prefix(&DATABASE.0.to_be_bytes())).await.len(),
            0
        );
    });
}

#[test]
fn one_of_a_kind_is_enforced_inside_one_request_and_across() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let mut names = Names::default();
        let id = create(&stage, "Customer", customer(1, json!({ "email": "ann@example.com" }))).await.unwrap();
        names.add(&stage, "Customer", id, "(ann)");
        assert_snapshot!(names.say(create(&stage, "Customer", customer(2, json!({ "email": "ann@example.com" }))).await), @r#"
UniqueViolation: There is a Customer with email: "ann@example.com" already.
{"constraint":"Customer.email","fields":["email"],"inputPath":["data","email"]}
"#);
        assert_snapshot!(names.say(create(&stage, "Customer", customer(1, json!({}))).await), @r#"
UniqueViolation: There is a Customer with tenant: "acme", customerNo: 1 already.
{"constraint":"Customer.tenant_customerNo","fields":["tenant","customerNo"],"inputPath":["data"]}
"#);
        assert_snapshot!(names.say(create(&stage, "Customer", customer(3, json!({ "id": global(&stage, "Customer", id) }))).await), @r#"
UniqueViolation: There is a Customer with the id (ann) already.
{"constraint":"Customer.id","fields":["id"],"inputPath":["data","id"]}
"#);
        let twins = vec![
            customer(4, json!({ "email": "bob@example.com" })),
            customer(5, json!({})),
            customer(6, json!({ "email": "bob@example.com" })),
        ];
        assert_snapshot!(names.say(create_many(&stage, "Customer", twins).await), @r#"
UniqueViolation: There is a Customer with email: "bob@example.com" already.
{"constraint":"Customer.email","fields":["email"],"inputPath":["data",2,"email"]}
"#);
        let nobody = vec![customer(4, json!({ "email": null })), customer(5, json!({}))];
        create_many(&stage, "Customer", nobody).await.unwrap();
        let by = json!({ "tenant_customerNo": { "tenant": "acme", "customerNo": 4 } });
        assert_snapshot!(names.say(update(&stage, "Customer", by.clone(), json!({ "email": "ann@example.com" })).await), @r#"
UniqueViolation: There is a Customer with email: "ann@example.com" already.
{"constraint":"Customer.email","fields":["email"],"inputPath":["data","email"]}
"#);
        assert_snapshot!(names.say(update(&stage, "Customer", by.clone(), json!({ "customerNo": 5 })).await), @r#"
UniqueViolation: There is a Customer with tenant: "acme", customerNo: 5 already.
{"constraint":"Customer.tenant_customerNo","fields":["tenant","customerNo"],"inputPath":["data"]}
"#);
        update(&stage, "Customer", by, json!({ "customerNo": 40, "email": "dan@example.com" })).await.unwrap();
        create(&stage, "Customer", customer(4, json!({}))).await.unwrap();
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn an_input_sees_those_before_it() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let reply = |to: &str| json!({ "slug": format!("below-{to}"), "parent": { "connect": { "slug": to } } });
        let data = vec![
            json!({ "slug": "a" }),
            reply("a"),
            reply("below-a"),
            json!({ "slug": "z", "children": { "connect": [{ "slug": "a" }] }, "related": { "connect": [{ "slug": "a" }, { "slug": "below-a" }] } }),
        ];
        create_many(&stage, "Category", data).await.unwrap();
        assert_snapshot!(say(create_many(&stage, "Category", vec![reply("later"), json!({ "slug": "later" })]).await), @r#"
NotFound: There is no Category with slug: "later".
{"type":"Category","key":{"slug":"later"},"inputPath":["data",0,"parent","connect"]}
"#);
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn deletes_do_what_on_delete_says() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let mut names = Names::default();
        let ann = create(&stage, "Customer", customer(1, json!({ "email": "ann@example.com" }))).await.unwrap();
        names.add(&stage, "Customer", ann, "(ann)");
        let by_ann = json!({ "connect": { "email": "ann@example.com" } });
        let profile = create(&stage, "Profile", json!({ "customer": by_ann })).await.unwrap();
        let order = create(&stage, "Order", json!({ "customer": by_ann })).await.unwrap();
        names.add(&stage, "Order", order, "(order)");
        assert_snapshot!(names.say(delete(&stage, "Customer", ann).await), @r#"
ReferenceViolation: Customer (ann) cannot be deleted while Order (order) needs it for Order.customer: delete or disconnect that first, or declare another onDelete.
{"constraint":"Order.customer","fields":["customer"],"records":["(order)"],"inputPath":["by"]}
"#);
        let of_order = json!({ "connect": { "id": global(&stage, "Order", order) } });
        let first = create(&stage, "Note", json!({ "text": "first", "order": of_order })).await.unwrap();
        let reply = json!({ "text": "reply", "order": of_order, "replyTo": { "connect": { "id": global(&stage, "Note", first) } } });
        let reply = create(&stage, "Note", reply).await.unwrap();
        delete(&stage, "Note", first).await.unwrap();
        assert_snapshot!(show(&stage, "Note", reply).await, @r#"{"text":"reply","order":"(reference)","replyTo":null}"#);
        delete(&stage, "Order", order).await.unwrap();
        assert_eq!(show(&stage, "Note", reply).await, Json::Null);
        delete(&stage, "Customer", ann).await.unwrap();
        assert_eq!(show(&stage, "Profile", profile).await, Json::Null);
        assert_snapshot!(names.say(delete(&stage, "Customer", ann).await), @r#"
NotFound: There is no Customer with id: "(ann)".
{"type":"Customer","key":{"id":"(ann)"},"inputPath":["by"]}
"#);
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn references_inside_values_and_links_hold_records() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let mut names = Names::default();
        create(&stage, "Customer", customer(1, json!({ "email": "ann@example.com" }))).await.unwrap();
        let product = create(&stage, "Product", json!({ "sku": "P" })).await.unwrap();
        names.add(&stage, "Product", product, "(product)");
        let line = |id: String| json!({ "customer": { "connect": { "email": "ann@example.com" } }, "lines": [{ "product": id, "sku": "P" }] });
        let gone = create(&stage, "Product", json!({ "sku": "gone" })).await.unwrap();
        names.add(&stage, "Product", gone, "(gone)");
        delete(&stage, "Product", gone).await.unwrap();
        assert_snapshot!(names.say(create(&stage, "Order", line(global(&stage, "Product", gone))).await), @r#"
ReferenceViolation: There is no Product with the id (gone).
{"constraint":"Line.product","fields":["product"],"inputPath":["data","lines",0,"product"]}
"#);
        let order = create(&stage, "Order", line(global(&stage, "Product", product))).await.unwrap();
        names.add(&stage, "Order", order, "(order)");
        assert_snapshot!(names.say(delete(&stage, "Product", product).await), @r#"
ReferenceViolation: Product (product) cannot be deleted while Order (order) needs it for Order.lines.product: delete or disconnect that first, or declare another onDelete.
{"constraint":"Order.lines.product","fields":["lines.product"],"records":["(order)"],"inputPath":["by"]}
"#);
        let category = create(&stage, "Category", json!({ "slug": "c", "products": { "connect": [{ "sku": "P" }] } }))
            .await
            .unwrap();
        names.add(&stage, "Category", category, "(category)");
        assert_snapshot!(names.say(delete(&stage, "Category", category).await), @r#"
ReferenceViolation: Category (category) cannot be deleted while Product (product) needs it for Category.products: delete or disconnect that first, or declare another onDelete.
{"constraint":"Category.products","fields":["products"],"records":["(product)"],"inputPath":["by"]}
"#);
        delete(&stage, "Order", order).await.unwrap();
        delete(&stage, "Product", product).await.unwrap();
        delete(&stage, "Category", category).await.unwrap();
        assert_eq!(stage.problems().await, Vec::<String>::new());
        let left = stage.rows(Space::Index, vivarium_storage::KeyRange::prefix(&DATABASE.0.to_be_bytes())).await;
        assert_eq!(left.len(), 1 + 1 + 1 + 1, "the entries of the customer: name, email, number, status");
    });
}

#[test]
fn the_far_side_of_one_to_one_takes_over_or_refuses() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let mut names = Names::default();
        for no in [1, 2] {
            let data = customer(no, json!({ "email": format!("c{no}@example.com") }));
            let id = create(&stage, "Customer", data).await.unwrap();
            names.add(&stage, "Customer", id, &format!("(c{no})"));
        }
        let of = |no: i32| json!({ "connect": { "email": format!("c{no}@example.com") } });
        let by = |no: i32| json!({ "email": format!("c{no}@example.com") });
        let one = create(&stage, "Profile", json!({ "customer": of(1) })).await.unwrap();
        let two = create(&stage, "Profile", json!({ "customer": of(2) })).await.unwrap();
        names.add(&stage, "Profile", one, "(one)");
        names.add(&stage, "Profile", two, "(two)");
        assert_snapshot!(names.say(create(&stage, "Profile", json!({ "customer": of(2) })).await), @r#"
UniqueViolation: There is a Profile with customer: "(c2)" already.
{"constraint":"Profile.customer","fields":["customer"],"inputPath":["data","customer"]}
"#);
        let to_two = json!({ "profile": { "connect": { "id": global(&stage, "Profile", two) } } });
        assert_snapshot!(names.say(update(&stage, "Customer", by(1), to_two.clone()).await), @r#"
ReferenceViolation: Profile.customer is required, so Profile (one) cannot be left without: connect it elsewhere, or delete it.
{"constraint":"Profile.customer","fields":["customer"],"records":["(one)"],"inputPath":["data","profile"]}
"#);
        assert_snapshot!(names.say(update(&stage, "Customer", by(1), json!({ "profile": { "disconnect": true } })).await), @r#"
ReferenceViolation: Profile.customer is required, so Profile (one) cannot be left without: connect it elsewhere, or delete it.
{"constraint":"Profile.customer","fields":["customer"],"records":["(one)"],"inputPath":["data","profile"]}
"#);
        update(&stage, "Customer", by(2), to_two.clone()).await.unwrap();
        delete(&stage, "Profile", one).await.unwrap();
        update(&stage, "Customer", by(1), to_two).await.unwrap();
        update(&stage, "Customer", by(2), json!({ "profile": null })).await.unwrap();
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn an_update_writes_only_what_changes() {
    run(async {
        let stage = Stage::open(SHOP).await;
        create(&stage, "Customer", customer(1, json!({ "email": "ann@example.com", "tags": ["a", "b"] })))
            .await
            .unwrap();
        let all = || stage.rows(Space::Index, vivarium_storage::KeyRange::prefix(&DATABASE.0.to_be_bytes()));
        let before = all().await;
        update(
            &stage,
            "Customer",
            json!({ "email": "ann@example.com" }),
            json!({ "tags": ["b", "c", "b"], "points": 3 }),
        )
        .await
        .unwrap();
        let after = all().await;
        let version =
            |rows: &[(Vec<u8>, vivarium_storage::Cell)]| rows.iter().map(|(_, cell)| cell.version).max().unwrap();
        let fresh = after.iter().filter(|(_, cell)| cell.version == version(&after)).count();
        assert_eq!((before.len(), after.len(), fresh), (6, 6, 1));
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn a_set_replaces_what_a_list_holds() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let skus = ["P", "Q", "R"];
        create_many(&stage, "Product", skus.iter().map(|sku| json!({ "sku": sku })).collect()).await.unwrap();
        let keys = |skus: &[&str]| Json::Array(skus.iter().map(|sku| json!({ "sku": sku })).collect());
        create(&stage, "Category", json!({ "slug": "c", "products": { "connect": keys(&["P", "Q", "Q"]) } }))
            .await
            .unwrap();
        let links = async || {
            let FieldKind::ManyToMany { links, inverse_links, .. } =
                stage.collection("Category").field_named("products").unwrap().kind
            else {
                panic!("not links")
            };
            let mut counts = Vec::new();
            for index in [links, inverse_links] {
                let range = vivarium_storage::KeyRange::prefix(&key::index(DATABASE, index));
                counts.push(stage.rows(Space::Index, range).await.len());
            }
            counts
        };
        assert_eq!(links().await, [2, 2]);
        let by = json!({ "slug": "c" });
        update(&stage, "Category", by.clone(), json!({ "products": { "set": keys(&["Q", "R"]) } })).await.unwrap();
        assert_eq!(links().await, [2, 2]);
        update(&stage, "Category", by.clone(), json!({ "products": { "disconnect": keys(&["P", "Q"]) } }))
            .await
            .unwrap();
        assert_eq!(links().await, [1, 1]);
        update(&stage, "Category", by.clone(), json!({ "products": { "set": [] } })).await.unwrap();
        assert_eq!(links().await, [0, 0]);
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn a_cascade_has_a_bound_and_ends_in_cycles() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let top = create(&stage, "Category", json!({ "slug": "top" })).await.unwrap();
        let mut names = Names::default();
        names.add(&stage, "Category", top, "(top)");
        for chunk in 0..11 {
            let child =
                |at: i32| json!({ "slug": format!("{chunk}-{at}"), "parent": { "connect": { "slug": "top" } } });
            create_many(&stage, "Category", (0..1000).map(child).collect()).await.unwrap();
        }
        assert_snapshot!(names.say(delete(&stage, "Category", top).await), @r#"
AffectedLimitExceeded: Deleting Category (top) would change more than 10000 records: delete those that refer to it first, in steps.
{"affected":10001,"limit":10000}
"#);
        for chunk in 0..2 {
            let collection = stage.collection("Category");
            let gone: Vec<_> = (0..1000).map(|at| input(json!({ "slug": format!("{chunk}-{at}") }))).collect();
            stage
                .write(async |writer: &mut Writer<'_>| {
                    let (catalog, database) = (writer.catalog, writer.database);
                    for by in &gone {
                        let id = find(catalog, database, writer.transaction, collection, by, &[]).await?.unwrap();
                        writer.delete(collection, id, &[]).await?;
                    }
                    Ok(())
                })
                .await
                .unwrap();
        }
        update(&stage, "Category", json!({ "slug": "top" }), json!({ "parent": { "connect": { "slug": "5-5" } } }))
            .await
            .unwrap();
        delete(&stage, "Category", top).await.unwrap();
        let left = stage.rows(Space::Document, vivarium_storage::KeyRange::prefix(&DATABASE.0.to_be_bytes())).await;
        assert_eq!(left.len(), 0);
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn verification_reports_what_is_missing_and_what_is_too_much() {
    run(async {
        let stage = Stage::open(SHOP).await;
        let mut names = Names::default();
        let ann = create(&stage, "Customer", customer(1, json!({ "email": "ann@example.com" }))).await.unwrap();
        let product = create(&stage, "Product", json!({ "sku": "P" })).await.unwrap();
        let category = create(&stage, "Category", json!({ "slug": "c", "products": { "connect": { "sku": "P" } } }))
            .await
            .unwrap();
        for (collection, id, name) in
            [("Customer", ann, "(ann)"), ("Product", product, "(product)"), ("Category", category, "(category)")]
        {
            names.add(&stage, collection, id, name);
        }
        let mut said = Vec::new();
        let entries = stage.rows(Space::Index, vivarium_storage::KeyRange::prefix(&DATABASE.0.to_be_bytes())).await;
        for (key, cell) in &entries {
            let damage = async |value: Option<Vec<u8>>| {
                let done = stage.write(async |writer: &mut Writer<'_>| {
                    match value {
                        Some(value) => writer.transaction.put(Space::Index, key.clone().into_boxed_slice(), value),
                        None => writer.transaction.delete(Space::Index, key.clone().into_boxed_slice()),
                    }
                    Ok(())
                });
                done.await.unwrap();
            };
            damage(None).await;
            said.push(format!("gone: {}", stage.problems().await.join(" ")));
            damage(Some(vec![1; 16])).await;
            said.push(format!("wrong: {}", stage.problems().await.join(" ")));
            damage(Some(cell.value.to_vec())).await;
            assert_eq!(stage.problems().await, Vec::<String>::new());
        }
        for (space, collection, id) in [(Space::Document, "Product", product), (Space::Document, "Customer", ann)] {
            let key = key::document(DATABASE, stage.collection(collection).id, id);
            let done = stage.write(async |writer: &mut Writer<'_>| {
                writer.transaction.delete(space, key);
                Ok(())
            });
            done.await.unwrap();
            said.push(format!("no document: {}", stage.problems().await.join(" ")));
        }
        let mut said = said.join("\n");
        for (id, name) in &names.0 {
            said = said.replace(id, name);
        }
        for (id, name) in [(ann, "(ann)"), (product, "(product)"), (category, "(category)")] {
            said = said.replace(&id.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), name);
        }
        assert_snapshot!(said, @r#"
gone: Customer (ann) has no entry in the index tenant_customerNo.
wrong: Customer (ann) has an entry in the index tenant_customerNo that leads to Customer AAAAAQEBAQEBAQEBAQEBAQEBAQE. The index tenant_customerNo of Customer has an entry for Customer AAAAAQEBAQEBAQEBAQEBAQEBAQE, which is not there.
gone: Customer (ann) has no entry in the index email.
wrong: Customer (ann) has an entry in the index email that leads to Customer AAAAAQEBAQEBAQEBAQEBAQEBAQE. The index email of Customer has an entry for Customer AAAAAQEBAQEBAQEBAQEBAQEBAQE, which is not there.
gone: Customer (ann) has no entry in the index status_name.
wrong: Customer (ann) has an entry in the index status_name that leads to Customer AAAAAQEBAQEBAQEBAQEBAQEBAQE. The index status_name of Customer has an entry for Customer (ann) that its document does not have: 00000001000000031930437573746f6d6572203100(ann).
gone: Customer (ann) has no entry in the index name.
wrong: Customer (ann) has an entry in the index name that leads to Customer AAAAAQEBAQEBAQEBAQEBAQEBAQE. The index name of Customer has an entry for Customer (ann) that its document does not have: 000000010000000430437573746f6d6572203100(ann).
gone: Product (product) has no entry in the index sku.
wrong: Product (product) has an entry in the index sku that leads to Product AAAABQEBAQEBAQEBAQEBAQEBAQE. The index sku of Product has an entry for Product AAAABQEBAQEBAQEBAQEBAQEBAQE, which is not there.
gone: Category (category) has no entry in the index parent.
wrong: Category (category) has an entry in the index parent that leads to Category AAAABgEBAQEBAQEBAQEBAQEBAQE. The index parent of Category has an entry for Category (category) that its document does not have: 000000010000000d02(category).
gone: Category (category) has no entry in the index slug.
wrong: Category (category) has an entry in the index slug that leads to Category AAAABgEBAQEBAQEBAQEBAQEBAQE. The index slug of Category has an entry for Category AAAABgEBAQEBAQEBAQEBAQEBAQE, which is not there.
gone: Category.products links Category (category) to Product (product), but not back.
wrong: Product.categories has a link that cannot be read: 000000010000000f48(product)(category).
gone: Product.categories links Product (product) to Category (category), but not back.
wrong: Category.products has a link that cannot be read: 000000010000001048(category)(product).
no document: The index sku of Product has an entry for Product (product), which is not there. Product.categories links Product (product), which is not there, to Category (category). Category.products links Category (category) to Product (product), which is not there.
no document: The index tenant_customerNo of Customer has an entry for Customer (ann), which is not there. The index email of Customer has an entry for Customer (ann), which is not there. The index status_name of Customer has an entry for Customer (ann), which is not there. The index name of Customer has an entry for Customer (ann), which is not there. The index sku of Product has an entry for Product (product), which is not there. Product.categories links Product (product), which is not there, to Category (category). Category.products links Category (category) to Product (product), which is not there.
"#);
    });
}

#[test]
fn numbers_are_unique_and_rise_across_restarts_and_choices() {
    run(async {
        let mut stage = Stage::open(SHOP).await;
        create(&stage, "Customer", customer(1, json!({ "email": "ann@example.com" }))).await.unwrap();
        let order = |number: Json| {
            let mut data = json!({ "customer": { "connect": { "email": "ann@example.com" } } });
            if !number.is_null() {
                data["number"] = number;
            }
            data
        };
        let mut numbers = Vec::new();
        for number in [json!(null), json!("50"), json!(null), json!("150"), json!(null), json!("1000"), json!(null)] {
            let id = create(&stage, "Order", order(number)).await.unwrap();
            numbers.push(show(&stage, "Order", id).await["number"].as_str().unwrap().to_owned());
        }
        assert_eq!(numbers, ["100", "50", "101", "150", "151", "1000", "1001"]);
        // A restart loses what was reserved and not given out.
        stage.sequences = Sequences::new(stage.node.clone(), DATABASE);
        let ids = create_many(&stage, "Order", vec![order(json!(null)); 250]).await.unwrap();
        let first = show(&stage, "Order", ids[0]).await["number"].clone();
        let last = show(&stage, "Order", ids[249]).await["number"].clone();
        assert_eq!((first, last), (json!("1101"), json!("1350")));
        // Both think that they are alone: reserved blocks do not meet.
        let other = Sequences::new(stage.node.clone(), DATABASE);
        let mut seen = Vec::new();
        for _ in 0..3 {
            for at in 0..2 {
                let sequences = if at == 0 { stage.sequences.clone() } else { other.clone() };
                let before = std::mem::replace(&mut stage.sequences, sequences);
                let id = create(&stage, "Order", order(json!(null))).await.unwrap();
                seen.push(show(&stage, "Order", id).await["number"].as_str().unwrap().to_owned());
                stage.sequences = before;
            }
        }
        assert_eq!(seen, ["1351", "1451", "1352", "1452", "1353", "1453"]);
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}
