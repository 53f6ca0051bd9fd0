//! Records that are created, changed and deleted through the relations of others, and creates that meet what is there.

#![allow(clippy::unwrap_used)]

mod server;
mod shop;

use serde_json::{Value, json};
use server::{Server, run};

/// What a mutation's only field answers.
async fn done(server: &Server, field: &str) -> Value {
    let data = server.data(&format!("mutation {{ it: {field} }}"), json!({})).await;
    data["it"].clone()
}

/// What a field is refused with: its code and where it stands. Nothing is written.
async fn refused(server: &Server, field: &str) -> (String, Value) {
    let counts = "{ customers { totalCount } orders { totalCount } orderLines { totalCount } categories { totalCount } products { totalCount } }";
    let before = server.data(counts, json!({})).await;
    let error = server.error(&format!("mutation {{ it: {field} {{ commit {{ version }} }} }}"), json!({})).await;
    assert_eq!(server.data(counts, json!({})).await, before, "what is refused writes nothing: {field}");
    let extensions = &error["extensions"];
    (extensions["code"].as_str().unwrap_or_default().to_owned(), extensions["inputPath"].clone())
}

async fn verified(server: &Server) {
    assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
}

const ADDRESS: &str = r#"{ street: "S 1", city: "Ulm", zip: "1", country: "DE" }"#;

#[test]
fn records_are_created_through_relations_of_others() {
    run(async {
        let server = shop::open().await;
        let order = format!(
            r#"createOrder(data: {{
              customer: {{ create: {{ email: "new@example.org", name: "New" }} }}, shipTo: {ADDRESS}, total: "5.00",
              lines: {{ create: [
                {{ position: 1, unitPrice: "4.20", product: {{ connect: {{ sku: "M1" }} }} }},
                {{ position: 2, unitPrice: "0.80", product: {{ create: {{
                  sku: "N1", title: "New", price: "0.80", parcel: {{ grams: 5 }},
                  categories: {{ connect: [{{ slug: "pots" }}], create: [{{ slug: "new", title: "New", parent: {{ create: {{ slug: "all", title: "All" }} }} }}] }}
                }} }} }}
              ] }}
            }}) {{ order {{
              customer {{ email country orders {{ totalCount }} }}
              lines(orderBy: {{ position: ASC }}) {{ nodes {{ position order {{ total }} product {{ sku categories(orderBy: {{ slug: ASC }}) {{ nodes {{ slug parent {{ slug }} products {{ totalCount }} }} }} }} }} }}
            }} }}"#
        );
        let order = done(&server, &order).await["order"].take();
        assert_eq!(
            order["customer"],
            json!({ "email": "new@example.org", "country": "DE", "orders": { "totalCount": 1 } })
        );
        let lines = order["lines"]["nodes"].as_array().unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["product"]["sku"], &lines[1]["product"]["sku"]), (&json!("M1"), &json!("N1")));
        assert_eq!(lines[1]["order"]["total"], "5.00");
        let categories = &lines[1]["product"]["categories"]["nodes"];
        let new = json!({ "slug": "new", "parent": { "slug": "all" }, "products": { "totalCount": 1 } });
        assert_eq!(categories[0], new);
        assert_eq!(categories[1]["slug"], "pots");
        verified(&server).await;
    });
}

#[test]
fn related_records_are_changed_deleted_and_created_in_one_update() {
    run(async {
        let server = shop::open().await;
        let orders = format!(
            r#"updateCustomer(by: {{ email: "ada@example.org" }}, data: {{ name: "Ada L", orders: {{
              create: [{{ shipTo: {ADDRESS}, total: "1.00" }}],
              update: [{{ by: {{ number: 20003 }}, data: {{ status: PAID, lines: {{
                deleteMany: {{ position: {{ eq: 2 }} }}, update: [{{ by: {{ order_position: {{ order: "$O", position: 1 }} }}, data: {{ quantity: 7 }} }}]
              }} }} }}],
              delete: [{{ number: 20004 }}]
            }} }}) {{ customer {{ name orders(orderBy: {{ number: ASC }}) {{ nodes {{ number status total lines {{ nodes {{ position quantity }} }} }} }} }} }}"#
        );
        let found = server.data("{ order(by: { number: 20003 }) { id } }", json!({})).await;
        let orders = orders.replace("$O", found["order"]["id"].as_str().unwrap());
        let customer = done(&server, &orders).await["customer"].take();
        assert_eq!(customer["name"], "Ada L");
        let orders = customer["orders"]["nodes"].as_array().unwrap();
        assert_eq!(orders.len(), 3, "{orders:?}");
        assert_eq!(orders[0]["number"], "20001");
        let changed = json!({ "number": "20003", "status": "PAID", "total": "7.20", "lines": { "nodes": [{ "position": 1, "quantity": 7 }] } });
        assert_eq!(orders[1], changed);
        assert_eq!(orders[2]["total"], "1.00");
        // Lines go with their order.
        assert_eq!(server.data("{ orderLines { totalCount } }", json!({})).await["orderLines"]["totalCount"], 4);
        // To the one side, and over links.
        let order = r#"updateOrder(by: { number: 20001 }, data: { customer: { update: { country: "FR", reviews: { deleteMany: { stars: { gte: 1 } } } } } }) { order { customer { country reviews { totalCount } } } }"#;
        let order = done(&server, order).await["order"].take();
        assert_eq!(order["customer"], json!({ "country": "FR", "reviews": { "totalCount": 0 } }));
        let product = r#"updateProduct(by: { sku: "P1" }, data: { categories: {
          create: { slug: "clay", title: "Clay" }, update: { by: { slug: "pots" }, data: { title: "All pots" } }
        } }) { product { categories(orderBy: { slug: ASC }) { nodes { slug title } } } }"#;
        let product = done(&server, product).await["product"].take();
        let both = json!([{ "slug": "clay", "title": "Clay" }, { "slug": "pots", "title": "All pots" }]);
        assert_eq!(product["categories"]["nodes"], both);
        let product = r#"updateProduct(by: { sku: "P1" }, data: { categories: { delete: { slug: "clay" } } }) { product { categories { nodes { slug } } } query { category(by: { slug: "clay" }) { id } } }"#;
        let product = done(&server, product).await;
        assert_eq!(product["product"]["categories"]["nodes"], json!([{ "slug": "pots" }]));
        assert_eq!(product["query"]["category"], Value::Null);
        let parent = r#"updateCategory(by: { slug: "ferns" }, data: { parent: { create: { slug: "green", title: "Green", parent: { connect: { slug: "plants" } } } } }) { category { parent { slug parent { slug } } } }"#;
        let parent = done(&server, parent).await["category"]["parent"].take();
        assert_eq!(parent, json!({ "slug": "green", "parent": { "slug": "plants" } }));
        let parent = r#"updateCategory(by: { slug: "ferns" }, data: { parent: { delete: true } }) { category { parent { slug } } query { category(by: { slug: "green" }) { id } } }"#;
        let gone = done(&server, parent).await;
        assert_eq!((&gone["category"]["parent"], &gone["query"]["category"]), (&Value::Null, &Value::Null));
        verified(&server).await;
    });
}

#[test]
fn what_contradicts_itself_is_refused_where_it_stands() {
    run(async {
        let server = shop::open().await;
        let ada = |orders: &str| {
            let orders = orders.replace("ADDRESS", ADDRESS);
            format!(r#"updateCustomer(by: {{ email: "ada@example.org" }}, data: {{ orders: {orders} }})"#)
        };
        let at = |path: &[&str]| {
            let item = |part: &&str| part.parse::<usize>().map_or_else(|_| json!(part), |number| json!(number));
            Value::Array(["data", "orders"].iter().chain(path).map(item).collect())
        };
        let cases = [
            (
                "{ update: [{ by: { number: 20001 }, data: {} }, { by: { number: 20001 }, data: {} }] }",
                "BAD_USER_INPUT",
                at(&["update", "1", "by"]),
            ),
            ("{ delete: [{ number: 20001 }, { number: 20001 }] }", "BAD_USER_INPUT", at(&["delete", "1"])),
            ("{ delete: [{ number: 20001 }], connect: [{ number: 20001 }] }", "BAD_USER_INPUT", at(&["delete", "0"])),
            (
                "{ delete: [{ number: 20001 }], update: [{ by: { number: 20001 }, data: { total: \"1\" } }] }",
                "BAD_USER_INPUT",
                at(&["delete", "0"]),
            ),
            // Of somebody else.
            ("{ delete: [{ number: 20002 }] }", "NOT_FOUND", at(&["delete", "0"])),
            ("{ update: [{ by: { number: 20002 }, data: {} }] }", "NOT_FOUND", at(&["update", "0", "by"])),
            (
                "{ deleteMany: { number: { eq: \"20001\" } }, connect: [{ number: 20001 }] }",
                "NOT_FOUND",
                at(&["connect", "0"]),
            ),
            // Two that are alike.
            (
                "{ create: [{ number: 7, shipTo: ADDRESS, total: \"1\" }, { number: 7, shipTo: ADDRESS, total: \"1\" }] }",
                "UNIQUE_VIOLATION",
                at(&["create", "1", "number"]),
            ),
            (
                "{ create: [{ shipTo: ADDRESS, total: \"1\", lines: { create: [{ position: 0, unitPrice: \"1\", product: { connect: { sku: \"F1\" } } }] } }] }",
                "CHECK_VIOLATION",
                at(&["create", "0", "lines", "create", "0", "position"]),
            ),
            ("{ create: [{ shipTo: ADDRESS, total: \"1.001\" }] }", "BAD_USER_INPUT", at(&["create", "0", "total"])),
            (
                "{ update: [{ by: { number: 20001 }, data: { number: 20002 } }] }",
                "UNIQUE_VIOLATION",
                at(&["update", "0", "data", "number"]),
            ),
            ("{ deleteMany: {} }", "BAD_USER_INPUT", at(&["deleteMany"])),
            ("{ disconnect: [{ number: 20001 }] }", "REFERENCE_VIOLATION", at(&[])),
        ];
        for (orders, code, path) in cases {
            assert_eq!(refused(&server, &ada(orders)).await, (code.to_owned(), path), "{orders}");
        }
        // A circle of records that are still to be made.
        let circle = r#"createCategory(data: { slug: "a", title: "A", parent: { create: { slug: "b", title: "B", parent: { connect: { slug: "a" } } } } })"#;
        let path = json!(["data", "parent", "create", "parent", "connect"]);
        assert_eq!(refused(&server, circle).await, ("NOT_FOUND".to_owned(), path));
        let none = r#"updateCategory(by: { slug: "plants" }, data: { parent: { update: { title: "X" } } })"#;
        assert_eq!(refused(&server, none).await, ("NOT_FOUND".to_owned(), json!(["data", "parent"])));
        let deep = (1..=20).fold(r#"slug: "d0", title: "D""#.to_owned(), |inner, at| {
            format!(r#"slug: "d{at}", title: "D", parent: {{ create: {{ {inner} }} }}"#)
        });
        let (code, _) = refused(&server, &format!("createCategory(data: {{ {deep} }})")).await;
        assert_eq!(code, "BAD_USER_INPUT", "deeper than anybody writes");
        let missing = r#"mutation($n: BigInt) { updateCustomer(by: { email: "ada@example.org" }, data: { orders: { deleteMany: { status: { eq: PAID }, number: { eq: $n } } } }) { commit { version } } }"#;
        let error = server.error(missing, json!({})).await;
        assert_eq!(
            error["extensions"]["inputPath"],
            json!(["data", "orders", "deleteMany", "number", "eq"]),
            "{error}"
        );
        verified(&server).await;
    });
}

#[test]
fn a_create_meets_what_is_there() {
    run(async {
        let server = shop::open().await;
        let create = r#"mutation($data: [CustomerCreate!]!, $on: CustomerConflict) {
          createCustomers(data: $data, onConflict: $on) { affectedCount customers { email name loyaltyPoints tags } }
        }"#;
        let ada = |name: &str| json!({ "email": "ada@example.org", "name": name });
        let made = |name: &str| json!({ "email": format!("{name}@example.org"), "name": name });
        let ask = async |data: Value, on: Value| {
            server.data(create, json!({ "data": data, "on": on })).await["createCustomers"].take()
        };
        let answer = ask(json!([ada("A"), made("x"), made("x")]), json!({ "key": "EMAIL", "action": "IGNORE" })).await;
        let names: Vec<_> = answer["customers"].as_array().unwrap().iter().map(|each| each["name"].clone()).collect();
        assert_eq!((answer["affectedCount"].clone(), names), (json!(1), vec![json!("Ada"), json!("x"), json!("x")]));
        // Defaults are for new records only.
        let answer = ask(json!([ada("A"), made("y")]), json!({ "key": "EMAIL", "action": "UPDATE" })).await;
        let changed = json!({ "email": "ada@example.org", "name": "A", "loyaltyPoints": 30, "tags": ["vip", "early"] });
        assert_eq!((answer["affectedCount"].clone(), answer["customers"][0].clone()), (json!(2), changed));
        let rich = json!({ "email": "ada@example.org", "name": "B", "loyaltyPoints": 31 });
        let some = json!({ "key": "EMAIL", "action": "UPDATE", "update": ["LOYALTY_POINTS"], "where": { "loyaltyPoints": { "lt": 31 } } });
        for affected in [1, 0] {
            let answer = ask(json!([rich]), some.clone()).await;
            assert_eq!((&answer["affectedCount"], &answer["customers"][0]["name"]), (&json!(affected), &json!("A")));
            assert_eq!(answer["customers"][0]["loyaltyPoints"], 31);
        }
        for on in [Value::Null, json!({ "key": "EMAIL" }), json!({ "key": "CUSTOMER_NO", "action": "IGNORE" })] {
            let error = server.error(create, json!({ "data": [made("z"), ada("A")], "on": on })).await;
            let at = (&error["extensions"]["code"], &error["extensions"]["inputPath"]);
            assert_eq!(at, (&json!("UNIQUE_VIOLATION"), &json!(["data", 1, "email"])));
        }
        // A key of several fields, one of them a relation.
        let review = r#"createReviews(data: [{ customer: { connect: { email: "ada@example.org" } }, product: { connect: { sku: "F1" } }, stars: 1, title: "Dead" }],
          onConflict: { key: CUSTOMER_PRODUCT, action: UPDATE, update: [STARS] }) { affectedCount reviews { stars title } }"#;
        let review = done(&server, review).await;
        assert_eq!(review, json!({ "affectedCount": 1, "reviews": [{ "stars": 1, "title": "Lush" }] }));
        // What is created through an input is made only when the input is followed.
        for (action, children) in [("IGNORE", 2), ("UPDATE", 3)] {
            let below = format!(
                r#"createCategories(data: [{{ slug: "plants", title: "Green", children: {{ create: {{ slug: "herbs", title: "Herbs" }} }} }}], onConflict: {{ key: SLUG, action: {action} }}) {{ categories {{ children {{ totalCount }} }} }}"#
            );
            assert_eq!(done(&server, &below).await["categories"][0]["children"]["totalCount"], children);
        }
        let known = server.data(r#"{ customer(by: { email: "bo@example.org" }) { id } }"#, json!({})).await;
        let by_id = json!({ "id": known["customer"]["id"], "email": "bob@example.org", "name": "Bob" });
        let answer = ask(json!([by_id]), json!({ "key": "ID", "action": "UPDATE" })).await;
        assert_eq!(answer["customers"][0]["email"], "bob@example.org");
        let bad = json!({ "key": "EMAIL", "action": "UPDATE", "where": {} });
        let error = server.error(create, json!({ "data": [ada("A")], "on": bad })).await;
        assert_eq!(error["extensions"]["inputPath"], json!(["onConflict", "where"]), "{error}");
        verified(&server).await;
    });
}
