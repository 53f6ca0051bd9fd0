//! The HTTP front: the only folder that names poem. It decodes, bounds and answers; it decides nothing about data.

mod accept;
mod admin;
mod body;
mod connection;
mod front;
mod graphql;
mod host;
mod operation;
mod outcome;
mod page;
mod request_id;
mod schema;
mod watch;

pub use connection::{BindError, bind};
pub use front::{Front, FrontOptions};

use connection::Connections;
use std::future::Future;
use std::time::Duration;

/// Serves until `stop` resolves, then finishes the requests under way, for at most `drain_max`.
///
/// # Errors
/// Those of the operating system when the listener cannot be used.
pub async fn serve(
    listener: tokio::net::TcpListener,
    front: Front,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> std::io::Result<()> {
    let connections = Connections::new(listener, front.options(), front.metrics())?;
    poem::Server::new_with_acceptor(connections).run_with_graceful_shutdown(front, stop, Some(drain_max)).await
}
