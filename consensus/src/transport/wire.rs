//! One connection: bytes in and frames out of them, batches out, and how long the other side has been silent.

use super::ending::Ending;
use super::frame::{Frame, MAGIC, STRANGER_BYTES_MAX};
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use vivarium_storage::runtime::{Instant, now, timeout};

/// Somebody who says nothing for so long is gone. Who dials pings every second, and is answered.
const SILENCE_MAX: Duration = Duration::from_millis(2_500);
/// What any link carries at least: what was written since a byte was heard may still be on its way there.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;
/// Room for one read when nothing is known about what comes.
const READ_BYTES: usize = 64 << 10;
/// Room for one read of a large frame: memory grows with what has arrived, not with what is announced.
const READ_BYTES_MAX: usize = 1 << 20;
/// How a TLS record begins: who dials sends a handshake first, who was dialled an alert to what is none.
const TLS_RECORDS: [[u8; 2]; 2] = [[0x16, 0x03], [0x15, 0x03]];
/// What is read and thrown away before a connection is closed, so that the other side can read why.
const DRAIN_BYTES_MAX: usize = 64 << 10;
/// How long that may take.
const DRAIN_FOR: Duration = Duration::from_millis(500);

/// A connection that is not split yet.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// When the other side was heard last, and how much was written since.
struct Pulse(Mutex<(Instant, u64)>);

impl Pulse {
    fn heard(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now(), 0);
    }
    fn wrote(&self, bytes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += bytes as u64;
    }
    /// How long the silence may last, and until when.
    fn limit(&self) -> (Duration, Instant) {
        let (heard, written) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = SILENCE_MAX + Duration::from_secs(written) / BYTES_PER_SECOND_MIN as u32;
        (limit, heard + limit)
    }
}

/// The reading half.
pub(super) struct Incoming {
    half: ReadHalf<Box<dyn Duplex>>,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame starts.
    start: usize,
    pulse: Arc<Pulse>,
}

/// The writing half.
pub(super) struct Outgoing {
    half: WriteHalf<Box<dyn Duplex>>,
    pulse: Arc<Pulse>,
}

/// Both halves of a connection.
pub(super) fn halves(stream: Box<dyn Duplex>) -> (Incoming, Outgoing) {
    let (read, write) = split(stream);
    let pulse = Arc::new(Pulse(Mutex::new((now(), 0))));
    (Incoming { half: read, buffer: Vec::new(), start: 0, pulse: pulse.clone() }, Outgoing { half: write, pulse })
}

impl Incoming {
    /// The other side's first eight bytes.
    ///
    /// # Errors
    /// `Foreign` when they are not ours.
    pub async fn magic(&mut self) -> Result<(), Ending> {
        while self.buffer.len() < MAGIC.len() {
            if !MAGIC.starts_with(&self.buffer) {
                break;
            }
            self.more(STRANGER_BYTES_MAX).await?;
        }
        if !self.buffer.starts_with(&MAGIC) {
            let shown = &self.buffer[..self.buffer.len().min(16)];
            if TLS_RECORDS.iter().any(|record| shown.starts_with(record)) {
                return Err(Ending::Tls("the other side has it, this node has not".to_owned()));
            }
            return Err(Ending::Foreign(format!("\"{}\"", shown.escape_ascii())));
        }
        self.start = MAGIC.len();
        Ok(())
    }

    /// The next frame, whole and checked.
    ///
    /// # Errors
    /// When the connection ended, the other side is silent for too long, or sends what is no frame.
    pub async fn frame(&mut self, bytes_max: usize) -> Result<Frame, Ending> {
        loop {
            match Frame::take(&self.buffer[self.start..], bytes_max)? {
                Ok((frame, taken)) => {
                    self.start += taken;
                    return Ok(frame);
                }
                Err(missing) => self.more(missing).await?,
            }
        }
    }

    async fn more(&mut self, missing: usize) -> Result<(), Ending> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > READ_BYTES_MAX {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(missing.clamp(READ_BYTES, READ_BYTES_MAX));
        loop {
            let (limit, until) = self.pulse.limit();
            match timeout(until.saturating_duration_since(now()), self.half.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Err(Ending::Closed),
                Ok(Ok(_)) => break,
                // TLS is told when a connection ends without a word.
                Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => return Err(Ending::Closed),
                Ok(Err(error)) => return Err(Ending::Broken(error.to_string())),
                // What was written meanwhile moved the limit.
                Err(_) if now() < self.pulse.limit().1 => {}
                Err(_) => return Err(Ending::Silent(limit)),
            }
        }
        self.pulse.heard();
        Ok(())
    }

    /// Throws away what still comes, for a moment: closing with unread bytes would take back what was said last.
    async fn drain(&mut self) {
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            self.buffer.clear();
            match self.half.read_buf(&mut self.buffer).await {
                Ok(read) if read > 0 => drained += read,
                _ => return,
            }
        }
    }
}

impl Outgoing {
    /// Writes all of it at once.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let broken = |error: std::io::Error| Ending::Broken(error.to_string());
        self.pulse.wrote(bytes.len());
        self.half.write_all(bytes).await.map_err(broken)?;
        self.half.flush().await.map_err(broken)
    }

    /// Says a last thing and closes, so that the other side can read it.
    pub async fn farewell(&mut self, incoming: &mut Incoming, bytes: &[u8]) {
        let said = async {
            if self.write(bytes).await.is_ok() && self.half.shutdown().await.is_ok() {
                incoming.drain().await;
            }
        };
        // Nobody has to listen.
        let _ = timeout(DRAIN_FOR, said).await;
    }
}

/// The first of two to end. Both get their turn, however busy one of them is.
pub(super) async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut turn = false;
    poll_fn(|context| {
        turn = !turn;
        let ahead = if turn { one.as_mut().poll(context) } else { other.as_mut().poll(context) };
        match ahead {
            Poll::Pending if turn => other.as_mut().poll(context),
            Poll::Pending => one.as_mut().poll(context),
            ready => ready,
        }
    })
    .await
}
