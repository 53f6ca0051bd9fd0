//! The mutation of the contract's operations, as it is written there, on the part of its example schema that it writes to.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};

const SCHEMA: &str = r#"
type Customer @collection @index(fields: ["country", "createdAt"]) @unique(fields: ["tenant", "customerNo"]) {
  id: ID!
  tenant: String!
  customerNo: Int!
  subject: String @unique
  email: Email! @unique
  name: String!
  country: CountryCode @index
  tags: [String!]! @default(value: []) @index
  address: Address
  loyaltyPoints: Int! @default(value: 0) @check(expr: { gte: 0 })
  creditLimit: Decimal @precision(digits: 12, scale: 2)
  birthday: Date
  preferences: JSON
  status: CustomerStatus! @default(value: ACTIVE)
  createdAt: DateTime! @default(now: true) @readOnly
  updatedAt: DateTime! @updatedAt
  displayName: String! @computed(expr: "name + ' <' + email + '>'")
  orders: [Order!]! @relation(inverse: "customer", onDelete: RESTRICT)
}
enum CustomerStatus { ACTIVE BLOCKED DELETED }
type Address { street: String! city: String! zip: String country: CountryCode! }
type Order @collection {
  id: ID!
  number: BigInt! @autoIncrement @unique
  customer: Customer! @relation(inverse: "orders")
  lines: [OrderLine!]!
  total: Decimal! @computed(expr: "sum(lines.amount)")
  status: OrderStatus! @default(value: NEW)
  placedAt: DateTime! @default(now: true)
}
enum OrderStatus { NEW PAID SHIPPED CANCELLED }
type OrderLine { product: Product! @relation sku: String! qty: Int! @check(expr: { gt: 0 }) amount: Decimal! }
type Product @collection {
  id: ID!
  sku: String! @unique
  title: String!
  price: Decimal!
  stock: Int! @default(value: 0) @check(expr: { gte: 0 })
  categories: [Category!]! @relation(inverse: "products")
}
type Category @collection { id: ID! slug: String! @unique products: [Product!]! @relation(inverse: "categories") }
"#;

/// The contract's, but for the id of the product, which no server gives.
const PLACE: &str = r#"mutation Place @idempotent(key: "k1") {
  createCustomer(data: { tenant: "acme", customerNo: 1, email: "a@b.c", name: "Ann", orders: { create: [{ lines: [{ product: "p1", sku: "S", qty: 1, amount: "9.90" }] }] } }) { customer { id } commit { version } }
  spend: updateCustomer(by: { email: "z@b.c" }, increment: { loyaltyPoints: -10 }, push: { tags: "big-spender" }, if: { loyaltyPoints: { gte: 10 } }) { customer { loyaltyPoints } }
}"#;

#[test]
fn an_order_is_placed_once() {
    run(async {
        let server = Server::open(SCHEMA).await;
        let product = r#"mutation { createProduct(data: { sku: "S", title: "Moss", price: "9.90", categories: { create: [{ slug: "moss" }] } }) { product { id } } }"#;
        let product = server.data(product, json!({})).await["createProduct"]["product"]["id"].take();
        let place = PLACE.replace("\"p1\"", &product.to_string());
        let zoe = r#"mutation { createCustomer(data: { tenant: "acme", customerNo: 2, email: "z@b.c", name: "Zoe", loyaltyPoints: 19 }) { customer { id } } }"#;
        // Nothing of it happens while a part of it cannot.
        let error = server.error(&place, json!({})).await;
        assert_eq!(error["extensions"]["code"], "NOT_FOUND", "{error}");
        let asked = r#"{ customers { nodes { email tags loyaltyPoints orders { nodes { number total status lines { sku product { sku categories { nodes { slug } } } } } } } } orders { totalCount } }"#;
        let nobody = json!({ "customers": { "nodes": [] }, "orders": { "totalCount": 0 } });
        assert_eq!(server.data(asked, json!({})).await, nobody);
        server.data(zoe, json!({})).await;
        let first = server.data(&place, json!({})).await;
        assert_eq!(first["spend"], json!({ "customer": { "loyaltyPoints": 9 } }));
        assert_eq!(server.data(&place, json!({})).await, first, "a key makes it happen once");
        let data = server.data(asked, json!({})).await;
        let lines = json!([{ "sku": "S", "product": { "sku": "S", "categories": { "nodes": [{ "slug": "moss" }] } } }]);
        let order = &data["customers"]["nodes"][1]["orders"]["nodes"][0];
        assert_eq!((&order["total"], &order["status"], &order["lines"]), (&json!("9.90"), &json!("NEW"), &lines));
        assert_eq!(data["customers"]["nodes"][0]["tags"], json!(["big-spender"]));
        let again = place.replace("\"k1\"", "\"k2\"");
        let error = server.error(&again, json!({})).await;
        let at = (error["extensions"]["code"].clone(), error["extensions"]["inputPath"].clone());
        assert_eq!(at, (Value::from("UNIQUE_VIOLATION"), json!(["data"])));
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}
