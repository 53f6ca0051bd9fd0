//! The example's rows fit the example's schema, keep their promises, and leave indexes that equal documents.

#![allow(clippy::unwrap_used)]

mod stage;

use serde_json::{Map, Value as Json, json};
use stage::{Stage, input, run};
use std::path::Path;
use vivarium_schema::catalog::{Collection, FieldKind};
use vivarium_schema::write::Writer;

fn rows(collection: &str) -> Vec<Map<String, Json>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop").join(format!("{collection}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A line of an import as an input of the collection's Create type.
fn connected(collection: &Collection, row: Map<String, Json>) -> Json {
    let is_relation = |name: &str| {
        let kind = collection.field_named(name).map(|field| field.kind);
        !matches!(kind, None | Some(FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_)))
    };
    let connect = |(name, value): (String, Json)| {
        let value = if is_relation(&name) && !value.is_null() { json!({ "connect": value }) } else { value };
        (name, value)
    };
    row.into_iter().map(connect).collect::<Map<String, Json>>().into()
}

#[test]
fn the_shop_can_be_imported() {
    run(async {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/schema.graphql");
        let stage = Stage::open(&std::fs::read_to_string(schema).unwrap()).await;
        for name in ["Category", "Product", "Customer", "Order", "OrderLine", "Review"] {
            let collection = stage.collection(name);
            let data: Vec<_> = rows(name).into_iter().map(|row| input(connected(collection, row))).collect();
            let written =
                stage.write(async |writer: &mut Writer<'_>| writer.create(collection, &data, &[]).await).await;
            written.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        }
        assert_eq!(stage.problems().await, Vec::<String>::new());
    });
}

#[test]
fn an_order_costs_its_lines_and_postage() {
    let cents = |text: &Json| text.as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
    let lines = rows("OrderLine");
    for order in rows("Order") {
        let own = lines.iter().filter(|line| line["order"]["number"] == order["number"]);
        let sum: u64 = own.map(|line| cents(&line["unitPrice"]) * line["quantity"].as_u64().unwrap()).sum();
        let postage = cents(&order["total"]) - sum;
        assert!([0, 490, 890].contains(&postage), "{order:?}");
    }
}
