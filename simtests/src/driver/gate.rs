//! The gate under strace: what the kernel was asked to change is what was recorded, and nothing outside was touched.
//!
//! In a printed trace each recorded change is itself a write to standard output, so the kernel's list shows both in order.

use std::collections::BTreeMap;

/// The system calls that change something, as strace is told.
pub const CALLS: &str = "openat,openat2,open,creat,mkdir,mkdirat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,\
                         ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,\
                         symlinkat,sync_file_range,copy_file_range,sendfile,splice,io_uring_setup,mknod,mknodat";
/// Where runs keep their disks.
const DISKS: &str = "/dev/shm/vivarium-sim-";

/// What the gate saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Changes that the kernel did and that were recorded.
    pub matched: u64,
    /// Lives of machines.
    pub lives: u64,
    /// What may not be, each in a sentence.
    pub wrong: Vec<String>,
}

/// A system call that strace shows.
struct Call<'t> {
    name: &'t str,
    arguments: &'t str,
    failed: bool,
}

/// Goes through what strace wrote.
pub fn check(text: &str) -> Seen {
    let mut gate = Gate::default();
    for line in joined(text) {
        if let Some(call) = parse(&line) {
            gate.meet(&call);
        }
    }
    gate.end();
    gate.seen
}

#[derive(Default)]
struct Gate {
    seen: Seen,
    /// Machines whose changes are recorded now, and the folder of their life: what an earlier life still does is not.
    on: BTreeMap<String, String>,
    /// A change of a recorded machine that waits for its event.
    waits: Option<(String, &'static str, String)>,
}

impl Gate {
    fn meet(&mut self, call: &Call<'_>) {
        if call.name == "write" && call.arguments.starts_with("1<") {
            return self.hear(quoted(call.arguments).unwrap_or_default());
        }
        if call.failed {
            return;
        }
        let Some(kind) = kind(call) else { return };
        let Some(path) = path(call) else { return };
        let Some(below) = path.strip_prefix(DISKS) else {
            if is_file(&path) {
                self.seen.wrong.push(format!("{} of {path}, which is outside", call.name));
            }
            return;
        };
        let below = below.split_once('/').map_or("", |(_, below)| below);
        let mut parts = below.split('/');
        // A node that is alone has no folder of its own around those of its lives.
        let first = parts.next().unwrap_or_default();
        let (machine, life) = match first.starts_with('n') {
            true => (first, parts.next().unwrap_or_default()),
            false => ("n1", first),
        };
        if self.on.get(machine).is_none_or(|on| on != life) {
            return;
        }
        let machine = machine.to_owned();
        self.settle();
        self.waits = Some((machine, kind, format!("{} of {below}", call.name)));
    }

    /// What waits for its event when something else comes was not recorded. Files that are there are opened without one.
    fn settle(&mut self) {
        if let Some((machine, kind, what)) = self.waits.take().filter(|(_, kind, _)| *kind != "create") {
            self.seen.wrong.push(format!("{what} on {machine} is not in the record ({kind})"));
        }
    }

    /// An event of the printed trace.
    fn hear(&mut self, line: &str) {
        let mut words = line.split_whitespace().skip(1);
        let Some(subject) = words.next() else { return };
        let rest: Vec<&str> = words.collect();
        if subject != "disk" {
            if let ["starts,", "generation", generation] = rest[..] {
                self.seen.lives += 1;
                self.on.insert(subject.to_owned(), format!("g{generation}"));
            } else if rest.first() == Some(&"killed") || rest.starts_with(&["power", "failure,"]) {
                self.on.remove(subject);
            }
            return;
        }
        let number = rest.first().and_then(|word| word.parse::<u64>().ok());
        let (machine, what) = match number {
            Some(number) => (format!("n{number}"), &rest[1..]),
            None => ("n1".to_owned(), &rest[..]),
        };
        match what {
            ["power", ..] => drop(self.on.remove(&machine)),
            // Nothing is asked of the kernel for it: a tmpfs has nothing to sync.
            ["fsync" | "fault" | "no", ..] => {}
            [kind @ ("create" | "mkdir" | "write" | "truncate" | "allocate" | "rename" | "remove"), ..] => {
                self.match_event(&machine, kind);
            }
            _ => {}
        }
    }

    fn match_event(&mut self, machine: &str, kind: &str) {
        match self.waits.take() {
            // A file that is there and is opened to be written anew is cut to nothing.
            Some((at, waits, _)) if at == machine && (waits == kind || (waits, kind) == ("create", "truncate")) => {
                self.seen.matched += 1;
            }
            other => {
                let met = other.map_or("nothing".to_owned(), |(at, _, what)| format!("{what} on {at}"));
                self.seen.wrong.push(format!("a {kind} on {machine} was recorded, and the kernel did {met}"));
            }
        }
    }

    fn end(&mut self) {
        self.settle();
        if self.seen.matched == 0 {
            self.seen.wrong.push("no recorded change was seen at all".into());
        }
    }
}

/// What a call changes; `None` when nothing.
fn kind(call: &Call<'_>) -> Option<&'static str> {
    Some(match call.name {
        "openat" | "open" | "openat2" if !call.arguments.contains("O_CREAT") => return None,
        "openat" | "open" | "openat2" | "creat" => "create",
        "mkdir" | "mkdirat" => "mkdir",
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => "write",
        "ftruncate" => "truncate",
        "fallocate" => "allocate",
        "rename" | "renameat" | "renameat2" => "rename",
        "unlink" | "unlinkat" | "rmdir" => "remove",
        // None of these is ever made by what records: whoever makes it went past.
        _ => "nothing known",
    })
}

/// The file that a call is about.
fn path(call: &Call<'_>) -> Option<String> {
    let folder = call.arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(folder, _)| folder);
    let by_number = matches!(
        call.name,
        "write"
            | "pwrite64"
            | "writev"
            | "pwritev"
            | "pwritev2"
            | "ftruncate"
            | "fallocate"
            | "fsync"
            | "fdatasync"
            | "sync_file_range"
            | "copy_file_range"
            | "sendfile"
            | "splice"
            | "io_uring_setup"
    );
    if by_number {
        return folder.map(str::to_owned);
    }
    let name = quoted(call.arguments)?;
    match name.starts_with('/') {
        true => Some(name.to_owned()),
        false => Some(format!("{}/{name}", folder?)),
    }
}

/// True for what a file system holds, not for pipes and terminals.
fn is_file(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("/dev/") && !path.starts_with("/proc/")
}

fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('"')?;
    rest.split_once('"').map(|(inner, _)| inner.strip_suffix("\\n").unwrap_or(inner))
}

fn parse(line: &str) -> Option<Call<'_>> {
    let (_, call) = line.trim_start().split_once(char::is_whitespace)?;
    let (name, rest) = call.trim_start().split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ").unwrap_or((rest, ""));
    Some(Call { name, arguments, failed: result.starts_with('-') })
}

/// Lines of calls that were shown in two parts, because another thread came between, made whole.
fn joined(text: &str) -> Vec<String> {
    let mut open: BTreeMap<&str, String> = BTreeMap::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        if let Some(begin) = line.strip_suffix("<unfinished ...>") {
            open.insert(thread, begin.to_owned());
        } else if let Some((_, end)) = rest.split_once(" resumed>") {
            if let Some(begin) = open.remove(thread) {
                lines.push(begin + end);
            }
        } else {
            lines.push(line.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"9 write(1<pipe:[1]>, "   0.000000 n2 starts, generation 0\n", 36) = 36
"#;

    fn run(lines: &str) -> Seen {
        check(&format!("{HEAD}{lines}"))
    }

    #[test]
    fn what_is_recorded_is_what_the_kernel_did() {
        let seen = run(
            r#"9 openat(AT_FDCWD</x>, "/dev/shm/vivarium-sim-8/n2/g0/lock", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</dev/shm/vivarium-sim-8/n2/g0/lock>
9 write(1<pipe:[1]>, "   0.000000 disk 2 create 1/lock = 2\n", 35) = 35
9 pwrite64(3</dev/shm/vivarium-sim-8/n2/g0/lock>, "abc) = 4"..., 30, 0) = 30
9 write(1<pipe:[1]>, "   0.000000 disk 2 write 2 at 0 30 bytes #bf\n", 57) = 57
9 write(1<pipe:[1]>, "   0.000000 disk 2 fsync 2\n", 27) = 27
9 openat(AT_FDCWD</x>, "/dev/shm/vivarium-sim-8/n2/g0/lock", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</dev/shm/vivarium-sim-8/n2/g0/lock>
9 unlinkat(4</dev/shm/vivarium-sim-8/n2/g0>, "lock", 0 <unfinished ...>
7 write(2<pipe:[2]>, "x", 1) = 1
9 <... unlinkat resumed>) = 0
9 write(1<pipe:[1]>, "   0.000000 disk 2 remove 1/lock\n", 33) = 33
9 write(1<pipe:[1]>, "   0.000000 disk 2 power cut\n", 29) = 29
9 write(1<pipe:[1]>, "   0.000000 n2 starts, generation 1\n", 36) = 36
9 fsync(3</dev/shm/vivarium-sim-8/n2/g0/lock>(deleted)) = 0
"#,
        );
        assert_eq!(seen, Seen { matched: 3, lives: 2, wrong: Vec::new() });
    }

    #[test]
    fn what_goes_past_the_record_is_named() {
        let seen = run(r#"9 write(3</dev/shm/vivarium-sim-8/n2/g0/a>, "x", 1) = 1
9 fsync(3</dev/shm/vivarium-sim-8/n2/g0/a>) = 0
9 mkdir("/dev/shm/vivarium-sim-8/n2/g0/b", 0777) = -1 EEXIST (File exists)
9 write(5</tmp/elsewhere>, "x", 1) = 1
9 write(1<pipe:[1]>, "   0.000000 disk 2 rename 1/a to 1/b\n", 37) = 37
"#);
        assert_eq!(
            seen.wrong,
            [
                "write of n2/g0/a on n2 is not in the record (write)",
                "write of /tmp/elsewhere, which is outside",
                "a rename on n2 was recorded, and the kernel did fsync of n2/g0/a on n2",
                "no recorded change was seen at all",
            ]
        );
    }
}
