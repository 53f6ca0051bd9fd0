//! Machines of a network of our own: each a network namespace, each pair with a cable of its own that can be cut in one
//! direction or both. All of it is gone when it is dropped.

use super::{BINARY, skip, without_settings};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Namespaces of ours are named so, with the process and a number.
const PREFIX: &str = "vivarium-test";
/// A machine listens for others on this port; nobody else is in its namespace.
const PORT: u16 = 4100;
/// Nobody has this address: what is sent to it is lost without a word, as on a cut line.
const NOBODY: &str = "02:00:00:00:00:99";

/// The way to a server: its address, as seen from inside its network namespace.
#[derive(Clone, Debug)]
pub struct Way {
    address: String,
    namespace: Option<String>,
}

impl Way {
    pub fn new(address: &str, namespace: Option<&str>) -> Way {
        Way { address: address.to_owned(), namespace: namespace.map(str::to_owned) }
    }

    /// A connection. A socket stays in the namespace in which it was made; this thread does not.
    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let Some(namespace) = &self.namespace else { return TcpStream::connect(&self.address) };
        let here = File::open("/proc/thread-self/ns/net")?;
        let there = File::open(format!("/run/netns/{namespace}"))?;
        move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))?;
        let stream = TcpStream::connect(&self.address);
        move_into_link_name_space(here.as_fd(), Some(LinkNameSpaceType::Network))?;
        stream
    }
}

/// Machines by their numbers, from 1.
pub struct Network {
    namespaces: Vec<String>,
}

impl Network {
    /// So many machines, each with a cable to each other one; `None`, with a word why, where we may not.
    pub fn lay(machines: usize) -> Option<Network> {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        sweep();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = |machine| format!("{PREFIX}-{}-{serial}-{machine}", std::process::id());
        let network = Network { namespaces: (1..=machines).map(name).collect() };
        for machine in 1..=machines {
            if let Err(words) = network.set_up(machine) {
                skip(&format!("no network namespaces here (they take root and iproute2): {words}"));
                return None;
            }
        }
        Some(network)
    }

    /// One machine, and its cables to those before it.
    fn set_up(&self, machine: usize) -> Result<(), String> {
        let namespace = self.namespace(machine);
        ip(&["netns", "add", namespace])?;
        ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        ip(&["-n", namespace, "address", "add", &format!("{}/32", address(machine)), "dev", "lo"])?;
        for other in 1..machine {
            let ends = [(machine, other), (other, machine)].map(|(at, to)| (self.namespace(at), cable(to)));
            let [(here, mine), (there, theirs)] = &ends;
            ip(&["link", "add", mine, "netns", here, "type", "veth", "peer", "name", theirs, "netns", there])?;
            for (at, to) in [(machine, other), (other, machine)] {
                let (namespace, cable) = (self.namespace(at), cable(to));
                ip(&["-n", namespace, "link", "set", &cable, "up"])?;
                let (to, from) = (address(to), address(at));
                ip(&["-n", namespace, "route", "add", &to, "dev", &cable, "src", &from])?;
            }
        }
        Ok(())
    }

    pub fn namespace(&self, machine: usize) -> &str {
        &self.namespaces[machine - 1]
    }

    /// Where a machine's node listens for others.
    pub fn listen(&self, machine: usize) -> String {
        format!("{}:{PORT}", address(machine))
    }

    /// The binary under test, on a machine.
    pub fn command(&self, machine: usize) -> Command {
        let mut command = without_settings(Command::new("ip"));
        command.args(["netns", "exec", self.namespace(machine), BINARY]);
        command
    }

    /// What one machine sends to another one is lost from now on.
    pub fn cut(&self, from: usize, to: usize) {
        let words = ["neigh", "replace", &address(to), "lladdr", NOBODY, "nud", "permanent", "dev", &cable(to)];
        ip(&[&["-n", self.namespace(from)], &words[..]].concat()).unwrap();
    }

    /// All cables are whole.
    pub fn mend(&self) {
        for from in 1..=self.namespaces.len() {
            for to in (1..=self.namespaces.len()).filter(|to| *to != from) {
                let _ = ip(&["-n", self.namespace(from), "neigh", "del", &address(to), "dev", &cable(to)]);
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}

fn address(machine: usize) -> String {
    format!("10.77.0.{machine}")
}

/// A machine's end of the cable to another one.
fn cable(to: usize) -> String {
    format!("to{to}")
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// Takes away what a test left behind that was itself killed.
fn sweep() {
    for line in ip(&["netns", "list"]).unwrap_or_default().lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if owner.is_some_and(|process| !std::path::Path::new("/proc").join(process).exists()) {
            let _ = ip(&["netns", "del", name]);
        }
    }
}
