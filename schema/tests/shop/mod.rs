//! A shop with a few records: nothing in them comes from a clock or from chance but ids.

#![allow(dead_code, reason = "each test file uses a part")]

use crate::server::Server;
use serde_json::{Value, json};
use vivarium_schema::plan::Limits;

pub const SCHEMA: &str = include_str!("schema.graphql");

/// A server with the shop's records.
pub async fn open() -> Server {
    with(Limits::default()).await
}

/// A server with the shop's records and limits of its own.
pub async fn with(limits: Limits) -> Server {
    let server = Server::with(SCHEMA, limits).await;
    for (field, create, data) in records() {
        let query = format!("mutation($data: [{create}!]!) {{ {field}(data: $data) {{ affectedCount }} }}");
        server.data(&query, json!({ "data": data })).await;
    }
    server
}

fn records() -> Vec<(&'static str, &'static str, Value)> {
    let day = |day: u32| format!("2026-03-{day:02}T10:00:00Z");
    let address =
        |city: &str, country: &str| json!({ "street": "Main 1", "city": city, "zip": "1", "country": country });
    let customer = |name: &str, country: &str, address: Value, tags: Value, points: i32, at: u32| {
        json!({
            "email": format!("{}@example.org", name.to_lowercase()), "name": name, "country": country,
            "address": address, "tags": tags, "loyaltyPoints": points, "createdAt": day(at),
            "preferences": { "news": points > 10, "size": { "pot": points }, "likes": ["moss", name] },
        })
    };
    let customers = json!([
        customer("Ada", "DE", address("Bonn", "DE"), json!(["vip", "early"]), 30, 1),
        customer("Bo", "SE", address("Lund", "SE"), json!(["vip"]), 5, 2),
        customer("Cid", "ES", Value::Null, json!([]), 0, 3),
        customer("Dee", "DE", address("Aachen", "DE"), json!(["late"]), 12, 4),
        customer("Eve", "DE", Value::Null, json!(["early"]), 7, 5),
    ]);
    let categories = json!([
        { "slug": "plants", "title": "Plants" },
        { "slug": "pots", "title": "Pots" },
        { "slug": "ferns", "title": "Ferns", "parent": { "connect": { "slug": "plants" } } },
        { "slug": "mosses", "title": "Mosses", "parent": { "connect": { "slug": "plants" } } },
    ]);
    let product = |sku: &str, title: &str, price: &str, stock: i32, grams: i32, categories: &[&str]| {
        let keys: Vec<Value> = categories.iter().map(|slug| json!({ "slug": slug })).collect();
        json!({
            "sku": sku, "title": title, "price": price, "stock": stock, "tags": [sku],
            "parcel": { "grams": grams, "alive": categories.contains(&"plants") },
            "categories": { "connect": keys },
        })
    };
    let products = json!([
        product("F1", "Sword fern", "12.50", 4, 800, &["plants", "ferns"]),
        product("F2", "Tree fern", "89.00", 1, 6000, &["plants", "ferns"]),
        product("M1", "Cushion moss", "4.20", 40, 150, &["plants", "mosses"]),
        product("P1", "Clay pot", "3.00", 100, 900, &["pots"]),
        product("P2", "Steel pot", "19.90", 0, 1200, &["pots"]),
    ]);
    let order = |name: &str, status: &str, total: &str, at: u32| {
        json!({
            "customer": { "connect": { "email": format!("{name}@example.org") } }, "status": status, "total": total,
            "shipTo": address("Bonn", "DE"), "placedAt": day(at),
        })
    };
    let orders = json!([
        order("ada", "DELIVERED", "25.00", 5),
        order("bo", "PAID", "89.00", 6),
        order("ada", "NEW", "7.20", 7),
        order("ada", "PAID", "3.00", 8),
        order("dee", "CANCELLED", "12.50", 9),
    ]);
    let line = |order: i32, position: i32, sku: &str, quantity: i32, price: &str| {
        json!({
            "order": { "connect": { "number": order } }, "product": { "connect": { "sku": sku } },
            "position": position, "quantity": quantity, "unitPrice": price,
        })
    };
    let lines = json!([
        line(20001, 1, "F1", 2, "12.50"),
        line(20002, 1, "F2", 1, "89.00"),
        line(20003, 2, "P1", 1, "3.00"),
        line(20003, 1, "M1", 1, "4.20"),
        line(20004, 1, "P1", 1, "3.00"),
        line(20005, 1, "F1", 1, "12.50"),
    ]);
    let review = |name: &str, sku: &str, stars: i32, title: &str, text: Value| {
        json!({
            "customer": { "connect": { "email": format!("{name}@example.org") } },
            "product": { "connect": { "sku": sku } }, "stars": stars, "title": title, "text": text,
            "writtenAt": day(10),
        })
    };
    let reviews = json!([
        review("ada", "F1", 5, "Lush", json!("It grows.")),
        review("bo", "F2", 2, "Tall", Value::Null),
        review("dee", "F1", 4, "Good", Value::Null),
    ]);
    vec![
        ("createCustomers", "CustomerCreate", customers),
        ("createCategories", "CategoryCreate", categories),
        ("createProducts", "ProductCreate", products),
        ("createOrders", "OrderCreate", orders),
        ("createOrderLines", "OrderLineCreate", lines),
        ("createReviews", "ReviewCreate", reviews),
    ]
}
