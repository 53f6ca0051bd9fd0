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
    pub async fn join(self) {
        if let Err(reason) = self.finish().await {
            panic!("{reason}");
        }
    }

    /// As [`Task::join`], for an owner that has something left to do when the task has panicked.
    ///
    /// # Errors
    /// Why the task did not end by itself.
    pub async fn finish(mut self) -> Result<(), String> {
        match self.handle.as_mut() {
            Some(handle) => handle.await.map_err(|error| format!("task {} did not end by itself: {error}", self.name)),
            None => Ok(()),
        }
    }

    /// Ends the task at its next suspension, and waits until all that it held is dropped.
    pub async fn end(mut self) {
        if let Some(handle) = self.handle.as_mut() {
            handle.abort();
            // It was told to end, so how it did is no news.
            let _ = handle.await;
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
