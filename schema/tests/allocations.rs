//! What a query by key allocates when its plan is cached: buffers, and nothing for the fields that it writes.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::json;
use server::{Server, request, run};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "an allocator is one; it hands everything on")]
// SAFETY: each call is the system allocator's, with the arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SCHEMA: &str = "type Track @collection { id: ID! trackId: Int! @unique name: String! composer: String \
    milliseconds: Int! unitPrice: Decimal! @precision(digits: 10, scale: 2) }";
/// Parameters, the plan bound to them, a transaction, two reads, the answer: each some buffers.
const ALLOCATIONS_MAX: u64 = 32;

async fn allocations(server: &Server, query: &str) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..5 {
        let request = request(query, json!({ "id": 7 }));
        let before = ALLOCATIONS.with(Cell::get);
        let response = server.send(request).await;
        let made = ALLOCATIONS.with(Cell::get) - before;
        assert!(response.errors.is_empty(), "{}", String::from_utf8_lossy(&response.body));
        least = least.min(made);
    }
    least
}

#[test]
fn a_query_by_key_allocates_the_same_for_one_field_and_for_five() {
    run(async {
        let server = Server::open(SCHEMA).await;
        let create = "mutation { createTrack(data: { trackId: 7, name: \"Dazed\", composer: \"Page\", \
            milliseconds: 386194, unitPrice: \"0.99\" }) { track { id } } }";
        server.data(create, json!({})).await;
        let one = allocations(&server, "query($id: Int!) { track(by: { trackId: $id }) { trackId } }").await;
        let all = "query($id: Int!) { track(by: { trackId: $id }) { trackId name composer milliseconds unitPrice } }";
        let five = allocations(&server, all).await;
        assert!(five <= one + 1, "{one} allocations for one field, {five} for five");
        assert!(five <= ALLOCATIONS_MAX, "{five} allocations");
    });
}
