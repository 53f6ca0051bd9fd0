//! A known sequence of writes and fsyncs gives exactly the legal images.

use super::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const FILE: Ino = 2;

fn disk(ops: &[Op]) -> Disk {
    let mut disk = Disk::default();
    ops.iter().for_each(|op| disk.apply(op));
    disk
}

fn create(name: &str, ino: Ino) -> Op {
    Op::Create { folder: ROOT, name: name.into(), ino }
}

fn write(ino: Ino, offset: u64, data: &[u8]) -> Op {
    Op::Write { ino, offset, data: Arc::from(data) }
}

fn sync(ino: Ino) -> Op {
    Op::Sync { ino }
}

/// Every image that a policy draws in many tries, each as "name=bytes name=bytes".
fn images(disk: &Disk, data: DataRule, entries: EntryRule) -> BTreeSet<String> {
    let mut rng = Rng::stream(1, "images");
    let text = |image: Image| {
        let files = image.root.iter().map(|(name, node)| match node {
            Node::File(content) => format!("{name}={}", String::from_utf8_lossy(&content.bytes())),
            Node::Folder(nodes) => format!("{name}/{}", nodes.len()),
        });
        files.collect::<Vec<_>>().join(" ")
    };
    (0..2000).map(|_| text(disk.image(Policy { data, entries }, &mut rng))).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_was_synced_is_always_there() {
    let disk = disk(&[create("a", FILE), write(FILE, 0, b"sure"), sync(FILE), sync(ROOT), write(FILE, 4, b"!")]);
    for policy in Policy::ALL {
        for image in images(&disk, policy.data, policy.entries) {
            assert!(image.starts_with("a=sure"), "{policy:?} lost synced bytes: {image}");
        }
    }
}

#[test]
fn unsynced_bytes_are_dropped_kept_or_torn_to_the_byte() {
    let disk = disk(&[create("a", FILE), sync(FILE), sync(ROOT), write(FILE, 0, b"xy"), write(FILE, 2, b"z")]);
    assert_eq!(images(&disk, DataRule::Drop, EntryRule::Strict), set(&["a="]));
    assert_eq!(images(&disk, DataRule::Keep, EntryRule::Strict), set(&["a=xyz"]));
    assert_eq!(images(&disk, DataRule::Prefix, EntryRule::Strict), set(&["a=", "a=x", "a=xy", "a=xyz"]));
}

#[test]
fn sectors_survive_one_by_one() {
    let data: Vec<u8> = [b'1'; 512].into_iter().chain([b'2'; 512]).collect();
    let disk = disk(&[create("a", FILE), sync(FILE), sync(ROOT), write(FILE, 0, &data)]);
    let [one, two, none] = ["1", "2", "\0"].map(|text| text.repeat(512));
    let expected = [
        String::new(),
        one.clone(),
        format!("{one}{none}"),
        format!("{none}{two}"),
        format!("{one}{two}"),
        format!("{none}{none}"),
    ];
    let expected: BTreeSet<_> = expected.iter().map(|bytes| format!("a={bytes}")).collect();
    assert_eq!(images(&disk, DataRule::Sectors, EntryRule::Strict), expected);
}

#[test]
fn a_torn_sector_spoils_only_bytes_of_the_torn_write() {
    let disk = disk(&[create("a", FILE), write(FILE, 0, b"old."), sync(FILE), sync(ROOT), write(FILE, 4, b"new")]);
    let mut rng = Rng::stream(2, "torn");
    let mut spoiled = false;
    for _ in 0..2000 {
        let policy = Policy { data: DataRule::TornSector, entries: EntryRule::Strict };
        let image = disk.image(policy, &mut rng);
        let Some(Node::File(content)) = image.root.get("a") else { panic!("the synced file is gone") };
        let bytes = content.bytes();
        assert_eq!(&bytes[..4], b"old.");
        assert!(bytes.len() <= 7);
        spoiled |= bytes.len() == 7 && &bytes[4..] != b"new";
    }
    assert!(spoiled, "no image had garbage at the tear");
}

#[test]
fn a_name_needs_an_fsync_of_its_folder_or_of_anything_with_a_journal() {
    let disk = disk(&[create("a", FILE), write(FILE, 0, b"x"), sync(FILE)]);
    assert_eq!(images(&disk, DataRule::Drop, EntryRule::Strict), set(&[""]));
    assert_eq!(images(&disk, DataRule::Drop, EntryRule::Journaled), set(&["a=x"]));
    assert_eq!(images(&disk, DataRule::Prefix, EntryRule::Strict), set(&["", "a=x"]));
}

#[test]
fn a_rename_is_all_or_nothing() {
    let ops = [
        create("a", FILE),
        write(FILE, 0, b"new"),
        create("b", 3),
        write(3, 0, b"old"),
        sync(FILE),
        sync(3),
        sync(ROOT),
        Op::Rename { from: (ROOT, "a".into()), to: (ROOT, "b".into()) },
    ];
    let disk = disk(&ops);
    for rule in [EntryRule::Strict, EntryRule::Journaled] {
        assert_eq!(images(&disk, DataRule::Prefix, rule), set(&["a=new b=old", "b=new"]));
    }
}

#[test]
fn after_a_failed_fsync_a_later_one_does_not_help_the_earlier_bytes() {
    let ops = [
        create("a", FILE),
        sync(FILE),
        sync(ROOT),
        write(FILE, 0, b"1"),
        Op::SyncFailed { ino: FILE },
        write(FILE, 1, b"2"),
        sync(FILE),
    ];
    let disk = disk(&ops);
    assert_eq!(images(&disk, DataRule::Drop, EntryRule::Strict), set(&["a=\u{0}2"]));
    assert_eq!(images(&disk, DataRule::Prefix, EntryRule::Strict), set(&["a=\u{0}2", "a=12"]));
}

#[test]
fn a_shorter_file_shows_zeros_when_it_grows_again() {
    let ops = [
        create("a", FILE),
        write(FILE, 0, b"abcd"),
        Op::Truncate { ino: FILE, len: 1 },
        Op::Allocate { ino: FILE, len: 3 },
        Op::Allocate { ino: FILE, len: 2 },
    ];
    assert_eq!(images(&disk(&ops), DataRule::Keep, EntryRule::Strict), set(&["a=a\0\0"]));
}

#[test]
fn an_image_makes_a_disk_that_gives_the_same_image() {
    let ops = [
        Op::MakeFolder { folder: ROOT, name: "d".into(), ino: 5 },
        Op::Create { folder: 5, name: "f".into(), ino: 6 },
        write(6, 5000, b"sparse"),
    ];
    let mut rng = Rng::stream(3, "again");
    let image = disk(&ops).image(Policy::KEEP, &mut rng);
    let drop = Policy { data: DataRule::Drop, entries: EntryRule::Strict };
    assert_eq!(Disk::from_image(&image).image(drop, &mut rng), image);
}
