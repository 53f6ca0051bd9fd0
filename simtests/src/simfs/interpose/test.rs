//! The record agrees with the kernel, and faults do what they say.

use super::{Drive, Recording};
use crate::rng::Rng;
use crate::simfs::faults::{Fault, Files, Kind, Reason};
use crate::simfs::image::Policy;
use crate::simfs::model::{Disk, Op, ROOT};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let root = PathBuf::from(format!("/dev/shm/vivarium-sim-test-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    root
}

fn recorded(name: &str, act: impl FnOnce(&Path, Drive)) -> Recording {
    let root = folder(name);
    let drive = Drive::start("disk", &root, Disk::default());
    act(&root, drive);
    let recording = drive.stop().unwrap();
    if !recording.cut {
        let image = recording.after.image(Policy::KEEP, &mut Rng::stream(0, "keep"));
        assert_eq!(image.difference(&root).unwrap(), None);
    }
    fs::remove_dir_all(&root).unwrap();
    recording
}

#[test]
fn every_change_below_the_folder_is_in_the_record() {
    let recording = recorded("all", |root, _| {
        fs::create_dir_all(root.join("x/y")).unwrap();
        let mut file = File::create(root.join("x/y/file")).unwrap();
        file.write_all(b"hello ").unwrap();
        file.write_all_at(b"J", 0).unwrap();
        file.seek(SeekFrom::Start(3)).unwrap();
        let mut clone = file.try_clone().unwrap();
        clone.write_all(b"++").unwrap();
        file.set_len(40_000).unwrap();
        file.sync_data().unwrap();
        let mut more = OpenOptions::new().append(true).open(root.join("x/y/file")).unwrap();
        more.write_all(b"end").unwrap();
        fs::write(root.join("x/other"), b"other").unwrap();
        fs::rename(root.join("x/other"), root.join("x/y/renamed")).unwrap();
        fs::rename(root.join("x/y"), root.join("z")).unwrap();
        fs::write(root.join("z/renamed"), b"again").unwrap();
        fs::create_dir(root.join("gone")).unwrap();
        fs::write(root.join("gone/file"), b"gone").unwrap();
        fs::remove_dir_all(root.join("gone")).unwrap();
        fs::remove_file(root.join("z/renamed")).unwrap();
        File::open(root).unwrap().sync_all().unwrap();
        assert!(fs::read(root.join("z/file")).unwrap().ends_with(b"end"));
    });
    assert_eq!(recording.escaped, Vec::<String>::new());
    assert!(recording.ops.iter().any(|op| matches!(op, Op::Sync { ino: ROOT })));
}

#[test]
fn the_temporary_file_of_an_atomic_write_is_in_the_record() {
    let recording = recorded("atomic", |root, _| {
        let mut file = tempfile::NamedTempFile::new_in(root).unwrap();
        file.write_all(b"v1").unwrap();
        file.as_file().sync_all().unwrap();
        file.persist(root.join("current")).unwrap();
    });
    assert!(recording.ops.iter().any(|op| matches!(op, Op::Rename { .. })), "rename went past the record");
}

#[test]
fn a_lock_of_a_file_passes_through() {
    recorded("lock", |root, _| {
        let file = File::create(root.join("lock")).unwrap();
        file.try_lock().unwrap();
        assert!(File::open(root.join("lock")).unwrap().try_lock().is_err());
    });
}

#[test]
fn the_third_write_fails_and_the_next_one_does_not() {
    let recording = recorded("write", |root, drive| {
        let mut file = File::create(root.join("file")).unwrap();
        drive.arm(Fault { kind: Kind::Write, files: Files::Any, nth: 3, reason: Reason::Io, short_bytes: 0 });
        let results: Vec<bool> = (0..4).map(|_| file.write(b"x").is_ok()).collect();
        assert_eq!(results, [true, true, false, true]);
    });
    assert_eq!(recording.fired, 1);
}

#[test]
fn a_short_write_is_followed_by_its_error() {
    recorded("short", |root, drive| {
        let mut file = File::create(root.join("file")).unwrap();
        drive.arm(Fault { kind: Kind::Write, files: Files::Any, nth: 1, reason: Reason::NoSpace, short_bytes: 2 });
        assert_eq!(file.write(b"four").unwrap(), 2);
        assert_eq!(file.write(b"ur").unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    });
}

#[test]
fn reads_and_fsyncs_fail_too() {
    let recording = recorded("read", |root, drive| {
        fs::write(root.join("file"), b"bytes").unwrap();
        let mut file = OpenOptions::new().read(true).write(true).open(root.join("file")).unwrap();
        drive.arm(Fault { kind: Kind::Read, files: Files::Any, nth: 1, reason: Reason::Io, short_bytes: 0 });
        assert!(file.read(&mut [0; 5]).is_err());
        drive.arm(Fault { kind: Kind::Sync, files: Files::Any, nth: 1, reason: Reason::Io, short_bytes: 0 });
        assert!(file.sync_all().is_err());
        assert!(file.sync_all().is_ok());
    });
    assert!(recording.ops.iter().any(|op| matches!(op, Op::SyncFailed { .. })));
}

#[test]
fn a_full_disk_refuses_new_pages_only() {
    recorded("full", |root, drive| {
        let file = File::create(root.join("file")).unwrap();
        file.write_all_at(&[1; 4096], 0).unwrap();
        drive.limit_space(4096);
        file.write_all_at(&[2; 4096], 4096).unwrap();
        file.write_all_at(&[3; 4096], 0).unwrap();
        let error = file.write_all_at(&[4], 8192).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        fs::remove_file(root.join("file")).unwrap();
        fs::write(root.join("other"), [5; 8192]).unwrap();
    });
}

#[test]
fn nothing_after_the_power_cut_is_recorded() {
    let recording = recorded("cut", |root, drive| {
        let mut file = File::create(root.join("file")).unwrap();
        drive.cut_after(2);
        for _ in 0..5 {
            file.write_all(b"x").unwrap();
        }
        assert!(drive.is_cut());
    });
    assert!(recording.cut);
    assert_eq!(recording.ops.len(), 3);
}

#[test]
fn each_folder_is_a_disk_of_its_own() {
    let (one, other) = (folder("one"), folder("other"));
    let drives = [&one, &other].map(|root| Drive::start("disk", root, Disk::default()));
    let mut files = [&one, &other].map(|root| File::create(root.join("file")).unwrap());
    drives[0].cut();
    for file in &mut files {
        file.write_all(b"x").unwrap();
    }
    fs::rename(other.join("file"), one.join("moved")).unwrap();
    let [first, second] = drives.map(|drive| drive.stop().unwrap());
    assert!(first.cut && !second.cut);
    assert_eq!((first.ops.len(), second.ops.len()), (1, 2));
    assert!(first.stamps[0] < second.stamps[0], "moments of two disks are in one order");
    assert_eq!(second.escaped, ["rename into or out of the folder"]);
    assert!(drives[1].is_cut() && drives[1].stop().is_none(), "a recording ends once");
    for root in [one, other] {
        fs::remove_dir_all(root).unwrap();
    }
}

#[test]
fn a_call_that_fails_says_why_whoever_else_makes_calls() {
    const THREADS: usize = 4;
    const CALLS: usize = 20_000;
    let root = folder("errors");
    let missing = root.join("missing");
    let others: Vec<i32> = std::thread::scope(|scope| {
        let missing = &missing;
        let open = move || fs::read(missing).unwrap_err().raw_os_error().unwrap();
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(move || (0..CALLS).map(|_| open()).filter(|errno| *errno != libc::ENOENT).collect()))
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<i32> { thread.join().unwrap() }).collect()
    });
    assert_eq!(others, Vec::<i32>::new());
    fs::remove_dir_all(&root).unwrap();
}
