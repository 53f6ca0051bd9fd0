//! What creates and updates do and refuse, case by case, with the words that clients read.

#![allow(clippy::unwrap_used)]

mod stage;

use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use stage::shop::{Names, SHOP, create, create_many, customer, delete, global, say, show, update};
use stage::{DATABASE, Stage, run};
use vivarium_schema::catalog::FieldKind;
use vivarium_schema::write::Sequences;
use vivarium_storage::{Space, key};

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
            customer(1, json!({ "orders": { "update": [] } })),
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
BadUserInput: This relation has no field update.
{"inputPath":["data","orders","update"]}
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
BadUserInput: A relation takes connect with a key, create with a record, or disconnect: true.
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
