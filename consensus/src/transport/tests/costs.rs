//! What a round trip costs over loopback: `cargo test --release -p vivarium-consensus transport -- --ignored --nocapture`.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_round_trip_costs() {
    let ((one, _), (two, _)) = (start(1).await, start(2).await);
    one.set_peers(book([(2, two.address())]));
    one.request(2, b"warm".to_vec(), soon()).await.unwrap();
    for (in_flight, each) in [(1u32, 20_000u32), (64, 4_000)] {
        let began = now();
        let askers: Vec<Task> = (0..in_flight)
            .map(|_| {
                let one = one.clone();
                spawn("asker", async move {
                    for _ in 0..each {
                        one.request(2, vec![b'x'; 100], now() + Duration::from_secs(60)).await.unwrap();
                    }
                })
            })
            .collect();
        for asker in askers {
            asker.join().await;
        }
        let (took, count) = (began.elapsed(), f64::from(in_flight * each));
        let micros = took.as_secs_f64() * 1e6 / f64::from(each);
        println!("{in_flight} in flight: {:.0} requests/s, {micros:.1} us a round trip", count / took.as_secs_f64());
    }
}
