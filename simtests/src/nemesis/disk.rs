//! Disks that fail a call, are full, or rot. After a failed call a node must stop rather than go on.

use crate::plan::{Mischief, draw_fault};
use crate::rng::Rng;
use crate::simfs::rot::Damage;
use crate::simfs::{Fault, Files, Kind, Reason};

/// A disk that fails.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let node = rng.between(1, nodes);
    match rng.below(10) {
        0..=2 => return draw_rot(nodes, rng),
        3 | 4 => return Mischief::FullDisk { node, bytes_more: rng.spread(1, 64 << 10) },
        _ => {}
    }
    // All that a node says to others is built upon that its log is durable.
    let of_the_log = |rng: &mut Rng| {
        let nth = rng.spread(1, 8);
        Fault { kind: Kind::Sync, files: Files::Log, nth, reason: Reason::Io, short_bytes: 0 }
    };
    let fault = if rng.chance(2, 5) { of_the_log(rng) } else { draw_fault(rng) };
    Mischief::Fault { node, fault, power: rng.chance(1, 2).then(|| super::draw_policy(rng)) }
}

/// A disk that changes the rows of tables.
pub fn draw_rot_of_tables(nodes: u64, rng: &mut Rng) -> Mischief {
    let node = rng.between(1, nodes);
    Mischief::Rot { node, damage: *rng.pick(&[Damage::Table, Damage::Rows, Damage::Rows]) }
}

/// A disk that loses what was durable on it.
fn draw_rot(nodes: u64, rng: &mut Rng) -> Mischief {
    let node = rng.between(1, nodes);
    use Damage::{ListOfTables, Log, NoLog, NoLogAndStore, Rows, Table};
    let damage = *rng.pick(&[ListOfTables, Table, Rows, Rows, Log, Log, NoLog, NoLogAndStore]);
    Mischief::Rot { node, damage }
}
