//! What things cost. Ignored in ordinary runs: figures mean something only side by side, on a quiet machine.

use crate::fixture::*;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use vivarium_consensus::Consistency;
use vivarium_storage::runtime::now;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_reads_and_commits_cost() {
    let (dir, node) = new_node().await;
    write(&node, "a", "1").await;
    const READS: u32 = 200_000;
    let deadline = soon() + Duration::from_secs(600);
    let began = now();
    for _ in 0..READS {
        let transaction = node.begin(Consistency::Strong, deadline).await.unwrap();
        std::hint::black_box(transaction.version());
    }
    println!("begin: {:?}", began.elapsed() / READS);
    let keys = [key("a")];
    let began = now();
    for _ in 0..READS {
        let mut transaction = node.begin(Consistency::Strong, deadline).await.unwrap();
        transaction.read_only();
        std::hint::black_box(transaction.get_many(ROWS, &keys).await.unwrap());
    }
    println!("begin and get: {:?}", began.elapsed() / READS);
    for writers in [1, 16, 64] {
        println!("fdatasync of 4 KiB: {:.0}/s", fsyncs_per_second(dir.path()));
        println!("{writers} writers: {:.0} commits/s", commits_per_second(&node, writers).await);
    }
    println!("fdatasync of 4 KiB: {:.0}/s", fsyncs_per_second(dir.path()));
}

async fn commits_per_second(node: &vivarium_consensus::Node, writers: u32) -> f64 {
    let each = 2000 / writers.min(8);
    let began = now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let node = node.clone();
        tasks.spawn(async move {
            for nth in 0..each {
                write(&node, &format!("{writer}-{nth}"), "some two hundred bytes".repeat(10).as_str()).await;
            }
        });
    }
    tasks.join_all().await;
    f64::from(each * writers) / began.elapsed().as_secs_f64()
}

fn fsyncs_per_second(dir: &std::path::Path) -> f64 {
    let file = std::fs::File::create(dir.join("probe")).unwrap();
    file.write_all_at(&vec![0; 4 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let block = [1; 4096];
    let began = now();
    for nth in 0..500 {
        file.write_all_at(&block, nth * 4096).unwrap();
        file.sync_data().unwrap();
    }
    500.0 / began.elapsed().as_secs_f64()
}
