//! raft-rs logs through slog; here its words go on to `tracing`, under the target `raft`.

use slog::{Drain, KV, Level, Never, OwnedKVList, Record, Serializer};
use std::fmt::{Arguments, Write};

/// A logger for one group.
pub(super) fn logger(group: u32) -> slog::Logger {
    slog::Logger::root(Bridge, slog::o!("group" => group))
}

struct Bridge;

impl Drain for Bridge {
    type Ok = ();
    type Err = Never;
    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        // Formatting an entry costs more than a commit does, so ask first.
        macro_rules! pass {
            ($level:ident) => {
                if tracing::enabled!(target: "raft", tracing::Level::$level) {
                    let fields = Fields::of(record, values);
                    tracing::event!(target: "raft", tracing::Level::$level, fields, "{}", record.msg());
                }
            };
        }
        match record.level() {
            Level::Critical | Level::Error => pass!(ERROR),
            Level::Warning => pass!(WARN),
            // An election is news in a log of debugging, not in that of a user with one node.
            Level::Info => pass!(DEBUG),
            Level::Debug | Level::Trace => pass!(TRACE),
        }
        Ok(())
    }
}

struct Fields(String);

impl Fields {
    fn of(record: &Record<'_>, values: &OwnedKVList) -> String {
        let mut fields = Fields(String::new());
        // Writing to a string cannot fail, and a value that cannot be shown is left out.
        let _ = record.kv().serialize(record, &mut fields);
        let _ = values.serialize(record, &mut fields);
        fields.0
    }
}

impl Serializer for Fields {
    fn emit_arguments(&mut self, key: slog::Key, value: &Arguments<'_>) -> slog::Result {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        write!(self.0, "{key}={value}").map_err(slog::Error::Fmt)
    }
}
