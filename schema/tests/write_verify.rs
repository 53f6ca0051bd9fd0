//! Verification finds every entry, link and document that is missing or too much.

#![allow(clippy::unwrap_used)]

mod stage;

use insta::assert_snapshot;
use serde_json::json;
use stage::shop::{Names, SHOP, create, customer};
use stage::{DATABASE, Stage, run};
use vivarium_schema::write::Writer;
use vivarium_storage::{Space, key};

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
