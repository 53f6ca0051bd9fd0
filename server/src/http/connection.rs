//! Connections: how many, how long they may be silent, and how long a request may take to arrive.
//!
//! Invariant: a connection that sends nothing, or a request one byte at a time, is closed in bounded time.

use super::front::FrontOptions;
use crate::metrics::Metrics;
use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// How long to wait before accepting again when the operating system refuses (no files left): a bound on the loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct BindError {
    /// Somebody else listens there.
    pub in_use: bool,
    /// The operating system's reason.
    pub source: io::Error,
}

/// Takes the address, before anything else is opened, so that a port in use costs nothing.
///
/// # Errors
/// What the operating system says.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError { in_use: source.kind() == io::ErrorKind::AddrInUse, source })
}

/// Accepts connections, never more than there are permits for.
pub struct Connections {
    listener: TcpListener,
    local: LocalAddr,
    permits: Arc<Semaphore>,
    idle_max: Duration,
    request_max: Duration,
    metrics: Arc<Metrics>,
}

impl Connections {
    pub fn new(listener: TcpListener, options: &FrontOptions, metrics: Arc<Metrics>) -> io::Result<Connections> {
        Ok(Connections {
            local: LocalAddr(listener.local_addr()?.into()),
            listener,
            permits: Arc::new(Semaphore::new(options.http.connections_max)),
            idle_max: options.http.idle_max(),
            // A request may arrive slowly and then run for as long as an operation may.
            request_max: options.http.arrival_max() + options.operation_max,
            metrics,
        })
    }
}

impl Acceptor for Connections {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![self.local.clone()]
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, remote)) => {
                    // Answers are written whole: waiting for more would only delay them.
                    let _ = stream.set_nodelay(true);
                    self.metrics.connections.inc();
                    let connection = Connection {
                        stream,
                        timer: Box::pin(tokio::time::sleep(self.idle_max)),
                        idle_max: self.idle_max,
                        request_max: self.request_max,
                        last_activity: Instant::now(),
                        request_since: None,
                        metrics: Arc::clone(&self.metrics),
                        _permit: permit,
                    };
                    return Ok((connection, self.local.clone(), RemoteAddr(remote.into()), Scheme::HTTP));
                }
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

/// A TCP stream with deadlines. Between the first byte of a request and the first byte of its answer lies at most
/// `request_max`; between any two bytes otherwise at most `idle_max`.
pub struct Connection {
    stream: TcpStream,
    /// Armed for the earliest moment that a deadline can pass, and set again only when it fires: cheap per request.
    timer: Pin<Box<Sleep>>,
    idle_max: Duration,
    request_max: Duration,
    last_activity: Instant,
    request_since: Option<Instant>,
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    fn deadline(&self) -> Instant {
        match self.request_since {
            Some(since) => since + self.request_max,
            None => self.last_activity + self.idle_max,
        }
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let deadline = self.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn wrote(&mut self) {
        self.request_since = None;
        self.last_activity = Instant::now();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before && self.request_since.is_none() {
                    self.request_since = Some(Instant::now());
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match self.poll_deadline(context) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        if poll.is_ready() {
            self.wrote();
        }
        poll
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        if poll.is_ready() {
            self.wrote();
        }
        poll
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn pair(idle_ms: u64, request_ms: u64) -> (Connection, TcpStream) {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connections = Connections {
            local: LocalAddr(listener.local_addr().unwrap().into()),
            listener,
            permits: Arc::new(Semaphore::new(1)),
            idle_max: Duration::from_millis(idle_ms),
            request_max: Duration::from_millis(request_ms),
            metrics: Arc::new(Metrics::default()),
        };
        (connections.accept().await.unwrap().0, client)
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let (mut connection, _client) = pair(20, 10_000).await;
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_request_that_drips_is_closed_although_it_is_never_silent() {
        let (mut connection, mut client) = pair(10_000, 30).await;
        for _ in 0..3 {
            client.write_all(b"x").await.unwrap();
            connection.read_u8().await.unwrap();
        }
        // The timer was armed for the idle bound when the connection began; here that moment comes at once.
        connection.timer.as_mut().reset(Instant::now());
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_ends_the_request() {
        let (mut connection, mut client) = pair(10_000, 10_000).await;
        client.write_all(b"x").await.unwrap();
        connection.read_u8().await.unwrap();
        assert!(connection.request_since.is_some());
        connection.write_all(b"y").await.unwrap();
        assert!(connection.request_since.is_none());
    }
}
