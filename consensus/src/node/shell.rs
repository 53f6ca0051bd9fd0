//! What stays of a node while what it is made of is closed and opened again: the folder, the options, the task
//! that does it.
//!
//! At any time a node is open, being opened again, or stopped. Only one of closing and opening again happens at once.

use super::{Inner, Neighbours, NodeOptions, Status};
use crate::cluster::Token;
use crate::progress::{End, Progress};
use crate::transport::Secret;
use crate::{Error, Result, Role};
use std::future::pending;
use std::sync::{Arc, Weak};
use tokio::sync::{Mutex, watch};
use vivarium_storage::{DataFolder, Identity};

/// A node's outside.
pub(crate) struct Shell {
    folder: Arc<DataFolder>,
    pub options: NodeOptions,
    neighbours: Neighbours,
    identity: Identity,
    state: watch::Sender<State>,
    /// Somebody waits for the node to close.
    closing: watch::Sender<bool>,
    /// Held while the node closes or opens again.
    turn: Mutex<()>,
}

#[derive(Clone)]
enum State {
    Open(Arc<Inner>),
    /// With what was last known of it.
    Reopening(Box<Status>),
    Stopped(Box<Status>, String),
}

impl Shell {
    /// Opens what lies in a data folder.
    ///
    /// # Errors
    /// Those of storage.
    pub async fn open(
        folder: Arc<DataFolder>,
        identity: Identity,
        options: NodeOptions,
        neighbours: Neighbours,
    ) -> Result<Arc<Shell>> {
        // Whoever does not wait for the opening any more drops it.
        let inner = Inner::open_or_repair(&folder, identity, &options, &neighbours, pending()).await?;
        let state = watch::Sender::new(State::Open(Arc::new(inner)));
        let closing = watch::Sender::new(false);
        Ok(Arc::new(Shell { folder, options, neighbours, identity, state, closing, turn: Mutex::new(()) }))
    }

    /// What the node is made of now.
    ///
    /// # Errors
    /// `Reopened` while it is opened again, `Stopped` when that failed.
    pub fn inner(&self) -> Result<Arc<Inner>> {
        match &*self.state.borrow() {
            State::Open(inner) => Ok(inner.clone()),
            State::Reopening(_) => Err(Error::Reopened),
            State::Stopped(_, reason) => Err(Error::Stopped(reason.clone())),
        }
    }

    /// As [`Shell::inner`], once the node is not being opened again.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn settled(&self) -> Result<Arc<Inner>> {
        let mut states = self.state.subscribe();
        // The sender is this shell's own, so waiting cannot fail.
        let _ = states.wait_for(|state| !matches!(state, State::Reopening(_))).await;
        self.inner()
    }

    /// See [`super::Node::token`].
    ///
    /// # Errors
    /// Those of [`super::Node::token`].
    pub fn token(&self) -> Result<Option<Token>> {
        let Some(secret) = self.folder.secret()? else { return Ok(None) };
        Ok(Some(Token { cluster: self.identity.cluster, secret: Secret(secret) }))
    }

    /// What the node knows of itself, or last knew.
    pub fn status(&self) -> Status {
        match &*self.state.borrow() {
            State::Open(inner) => inner.status(),
            State::Reopening(status) | State::Stopped(status, _) => (**status).clone(),
        }
    }

    /// Resolves when the node has stopped by itself, with the reason.
    pub async fn stopped(&self) -> String {
        let mut states = self.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Stopped(_, reason) => return reason,
                State::Reopening(_) => {}
                State::Open(inner) => {
                    // Whoever waits here for ever must not keep the store open.
                    let progress = inner.progress.clone();
                    drop(inner);
                    if let End::Stopped(reason) = progress.ended().await {
                        return reason;
                    }
                }
            }
            // As above: the sender is this shell's own.
            let _ = states.changed().await;
        }
    }

    /// Closes what is open, see [`super::Node::close`].
    ///
    /// # Errors
    /// Those of [`super::Node::close`].
    pub async fn close(&self) -> Result<()> {
        self.closing.send_replace(true);
        let _turn = self.turn.lock().await;
        self.inner()?.close().await
    }

    /// Resolves when somebody waits for the node to close.
    async fn closes(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is this shell's own, so waiting cannot fail.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    fn progress(&self) -> Option<Arc<Progress>> {
        self.inner().ok().map(|inner| inner.progress.clone())
    }

    /// Closes and opens the node again. Returns false when there is nothing left to watch over.
    async fn reopen(&self) -> bool {
        let _turn = self.turn.lock().await;
        let Ok(inner) = self.inner() else { return false };
        // Taken: the node was closed in between.
        let Some(tasks) = inner.take_tasks() else { return false };
        let status = inner.status();
        self.state.send_replace(State::Reopening(Box::new(status.clone().without_role())));
        tracing::info!("the node is opened again to install a checkpoint or to replace its store");
        let opened = async {
            let [applier, driver] = tasks;
            for task in [driver, applier] {
                task.finish().await.map_err(Error::Stopped)?;
            }
            if let Some(reason) = inner.progress.stop_reason() {
                return Err(Error::Stopped(reason));
            }
            inner.let_go().await?;
            let closes = self.closes();
            Inner::open_or_repair(&self.folder, self.identity, &self.options, &self.neighbours, closes).await
        };
        match opened.await {
            Ok(inner) => {
                self.state.send_replace(State::Open(Arc::new(inner)));
                true
            }
            Err(error) => {
                let reason = match error {
                    Error::Stopped(reason) => reason,
                    error => format!("it could not be opened again: {error}"),
                };
                tracing::error!(%reason, "the node stops");
                let stopped = Status { stopped: Some(reason.clone()), ..status.without_role() };
                self.state.send_replace(State::Stopped(Box::new(stopped), reason));
                false
            }
        }
    }
}

impl Status {
    fn without_role(self) -> Status {
        Status { role: Role::Follower, leader: None, ..self }
    }
}

/// Opens the node again whenever it asks for it. Keeps neither the node nor its folder from going.
pub(super) async fn supervise(shell: Weak<Shell>) {
    while let Some(progress) = shell.upgrade().and_then(|shell| shell.progress()) {
        if progress.ended().await != End::Reopening {
            return;
        }
        drop(progress);
        let Some(shell) = shell.upgrade() else { return };
        if !shell.reopen().await {
            return;
        }
    }
}
