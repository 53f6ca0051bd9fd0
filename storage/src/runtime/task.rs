//! Tasks that have an owner, and the few threads that a node has beside them.

use std::future::Future;
use tokio::task::JoinHandle;

/// A task that ends when its handle is dropped.
#[derive(Debug)]
#[must_use = "dropping the handle ends the task"]
pub struct Task {
    name: &'static str,
    handle: Option<JoinHandle<()>>,
}

/// Starts a task. Dropping the handle ends it at its next suspension.
#[allow(clippy::disallowed_methods)]
pub fn spawn(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
    Task { name, handle: Some(tokio::spawn(future)) }
}

impl Task {
    /// Lets the task run on without an owner, until it ends or the node does.
    pub fn detach(mut self) {
        self.handle = None;
    }

    /// True once the task has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end of the task. Dropping this future ends the task like dropping the handle.
    ///
    /// # Panics
    /// When the task has panicked: its owner must not go on as if the work were done.
    pub async fn join(mut self) {
        if let Some(handle) = self.handle.as_mut()
            && let Err(error) = handle.await
        {
            panic!("task {} did not end by itself: {error}", self.name);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abort();
        }
    }
}

/// Starts a thread, for work that blocks on the disk. Simulation has none: there the same work runs inline.
///
/// # Panics
/// When the operating system refuses the thread. A node starts its threads once, before it serves.
#[cfg(not(madsim))]
#[allow(clippy::disallowed_methods)]
pub fn thread(name: &'static str, body: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .expect("the operating system grants a node its threads")
}
