use std::time::Instant;
use vivarium_storage::engine::*;
use vivarium_storage::runtime::Runtime;
use vivarium_storage::wal::*;
use vivarium_storage::*;
fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let runtime = Runtime::seeded(1);
    // wal
    let t = Instant::now();
    let wal = Wal::open(&dir.join("log"), WalOptions::default(), &runtime).unwrap();
    println!("wal create {:?}", t.elapsed());
    let g = GroupId(1);
    let mut idx = 0;
    for (n, size) in [(300u64, 500usize), (300, 20000)] {
        let t = Instant::now();
        for _ in 0..n {
            idx += 1;
            let (s, r) = std::sync::mpsc::channel();
            wal.append(g, vec![Record::Entry { term: 1, index: idx, payload: vec![7; size] }], Box::new(move |o| { s.send(o).unwrap(); }));
            r.recv().unwrap().unwrap();
        }
        println!("wal sync appends of {size}: {:?} each", t.elapsed() / n as u32);
    }
    let t = Instant::now();
    let n = 100_000u64;
    let (s, r) = std::sync::mpsc::channel();
    for i in 0..n {
        idx += 1;
        let s = s.clone();
        wal.append(g, vec![Record::Entry { term: 1, index: idx, payload: vec![7; 300] }], Box::new(move |o| { if o.is_err() || i == n - 1 { s.send(o.is_ok()).unwrap(); } }));
    }
    println!("recv {:?}", r.recv().unwrap());
    println!("wal pipelined 300B: {:?} each", t.elapsed() / n as u32);
    let t = Instant::now();
    wal.close();
    drop(wal);
    let wal = Wal::open(&dir.join("log"), WalOptions::default(), &runtime).unwrap();
    println!("wal reopen {:?} with {} MiB", t.elapsed(), wal.disk_bytes() >> 20);
    // store
    let store = Store::open(&dir.join("store"), StoreOptions::default()).unwrap();
    let doc = |i: u64| {
        let mut d = DocumentBuilder::new();
        d.set(FieldId(1), Value::Int(i as i64));
        d.set(FieldId(2), Value::String(format!("a name of some length {i}")));
        d.set(FieldId(3), Value::String("x".repeat(150)));
        d.finish(1, None).unwrap()
    };
    let key = |i: u64| -> Key { let mut k = [0u8; 16]; k[..8].copy_from_slice(&(i.wrapping_mul(0x9E3779B97F4A7C15)).to_be_bytes()); key::document(DatabaseId(1), CollectionId(2), DocumentId(k)) };
    let rows = 200_000u64;
    let t = Instant::now();
    let per = 100;
    for b in 0..rows / per {
        let m: Vec<_> = (0..per).flat_map(|j| { let i = b * per + j; let k = key(i);
            let mut ik = key::index(DatabaseId(1), IndexId(3)); ik.extend_from_slice(&i.to_be_bytes());
            [Mutation { space: Space::Document, key: k, value: Some(doc(i).into()) }, Mutation { space: Space::Index, key: ik.into(), value: Some([].into()) }] }).collect();
        store.apply(&[Apply { position: Position { index: b + 1, term: 1, version: Version(b + 1) }, mutations: &m }]).unwrap();
    }
    println!("apply new doc+index: {:?} per doc", t.elapsed() / rows as u32);
    let t = Instant::now(); store.persist().unwrap(); println!("persist {:?}", t.elapsed());
    let base = rows / per;
    let t = Instant::now();
    for b in 0..200 {
        let m: Vec<_> = (0..per).map(|j| { let i = (b * per + j) * 7 % rows; Mutation { space: Space::Document, key: key(i), value: Some(doc(i + 1).into()) } }).collect();
        store.apply(&[Apply { position: Position { index: base + b + 1, term: 1, version: Version(base + b + 1) }, mutations: &m }]).unwrap();
    }
    println!("apply update doc: {:?} per doc", t.elapsed() / (200 * per) as u32);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let s = store.snapshot();
    let v = s.version();
    for round in 0..3 {
        let t = Instant::now();
        let n = 20_000;
        for i in 0..n / 20 { let mut ks: Vec<Key> = (0..20).map(|j| key((i * 20 + j) * 11 % rows)).collect(); ks.sort(); let c = s.get_many(Space::Document, &ks, v).unwrap(); assert!(c[0].is_some()); }
        println!("round {round}: get_many(20) {:?} per key; hits {} misses {}", t.elapsed() / n as u32, store.usage().cache_hits, store.usage().cache_misses);
    }
    let t = Instant::now();
    let n = 20_000u64;
    for i in 0..n { let c = s.get_many(Space::Document, &[key(i + rows * 3)], v).unwrap(); assert!(c[0].is_none()); }
    println!("missing key {:?}", t.elapsed() / n as u32);
    for limit in [1, 20, 100, 1000] {
        let t = Instant::now();
        let n = 2000u64;
        for i in 0..n { let mut a = key::index(DatabaseId(1), IndexId(3)); a.extend_from_slice(&(i * 97 % (rows - 1000)).to_be_bytes());
            let scan = Scan { range: KeyRange { start: a.into(), end: key::index(DatabaseId(1), IndexId(4)).into() }, reverse: false, limit };
            let c = s.scan(Space::Index, &scan, v).unwrap().count(); assert_eq!(c, limit); }
        println!("scan index {limit}: {:?}", t.elapsed() / n as u32);
    }
    let scan = Scan { range: key::documents(DatabaseId(1), CollectionId(2)), reverse: false, limit: usize::MAX };
    let t = Instant::now();
    let c = s.scan(Space::Document, &scan, v).unwrap().count();
    println!("scan all {c} docs: {:?} per row", t.elapsed() / c as u32);
    let at = Version(base);
    let t = Instant::now();
    let c = s.scan(Space::Document, &scan, at).unwrap().count();
    println!("scan all {c} docs in the past: {:?} per row", t.elapsed() / c as u32);
    let t = Instant::now();
    let bytes: usize = s.export().map(|c| c.unwrap().len()).sum();
    println!("export {} MiB {:?}", bytes >> 20, t.elapsed());
    let t = Instant::now();
    let copy = Store::restore(&dir.join("copy"), StoreOptions::default(), &mut s.export()).unwrap();
    println!("restore {:?} usage {:?}", t.elapsed(), copy.usage());
    let t = Instant::now();
    assert!(s.verify().is_whole());
    println!("verify {:?}", t.elapsed());
    drop((s, copy, store));
    let t = Instant::now();
    let store = Store::open(&dir.join("store"), StoreOptions::default()).unwrap();
    println!("store reopen {:?} {:?}", t.elapsed(), store.usage());
}
