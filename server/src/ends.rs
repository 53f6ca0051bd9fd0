//! What ends a server from outside: a signal, or the end of its standard input when its starter asked for that.

use crate::cli::{Exit, Failure};
use std::io::Read;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Waits for reasons to end.
pub struct Ends {
    terminate: Signal,
    interrupt: Signal,
    /// Resolves when standard input ends.
    input: Option<oneshot::Receiver<()>>,
}

impl Ends {
    /// Takes the signals, and standard input when it counts.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn install(until_input_ends: bool) -> Result<Ends, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::File, format!("Cannot take signals: {error}."));
        let take = |kind| signal(kind).map_err(failed);
        let input = until_input_ends.then(read_to_end).transpose().map_err(failed)?;
        Ok(Ends { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())?, input })
    }

    /// The next reason to end.
    pub async fn next(&mut self) -> &'static str {
        let Some(input) = &mut self.input else {
            return tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            // Whether it ended or cannot be read: whoever held the other end is gone.
            _ = input => {
                self.input = None;
                "the end of standard input"
            }
        }
    }
}

/// Reads on a thread of its own, which the process does not wait for.
fn read_to_end() -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut buffer = [0; 64];
        while std::io::stdin().read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
        // Nobody listens any more when the server ended first.
        let _ = ended.send(());
    })?;
    Ok(end)
}
