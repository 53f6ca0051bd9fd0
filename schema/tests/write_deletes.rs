//! What deletes do to those who refer to a record, and what holds a record.

#![allow(clippy::unwrap_used)]

mod stage;

use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use stage::shop::{Names, SHOP, create, create_many, customer, delete, global, show, update};
use stage::{DATABASE, Stage, input, run};
use vivarium_schema::write::{Writer, find};
use vivarium_storage::Space;

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
                        writer.delete(collection, &[id], &[]).await?;
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
