//! The bytes between nodes, as `docs/wire.md` draws them. What is decoded is what was encoded, or it is refused.

use uuid::Uuid;
use vivarium_storage::Epoch;
use vivarium_storage::wal::GroupId;

/// What each side says first. The line break makes an HTTP server that is dialled by mistake answer at once.
pub(super) const MAGIC: [u8; 8] = *b"VIVPEER\n";
/// The oldest and the newest protocol that this build speaks.
pub(super) const PROTOCOLS: (u16, u16) = (1, 1);
/// The body of a request or an answer: a checkpoint's chunk of 32 MiB with what is said about it.
pub(super) const BODY_BYTES_MAX: usize = 33 << 20;
/// Kind and body of the largest frame: such a body with its number, or as many bytes of messages.
pub(super) const FRAME_BYTES_MAX: usize = BODY_BYTES_MAX + 64;
/// Before a stranger has proved who it is, frames are small: it cannot make us hold more.
pub(super) const STRANGER_BYTES_MAX: usize = 256;
/// Length and checksum.
const HEADER_BYTES: usize = 8;

/// The first frame of who dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub protocol_min: u16,
    pub protocol_max: u16,
    pub cluster: Uuid,
    /// Of the cluster as who dials knows it; 0 for somebody who is no member yet.
    pub epoch: Epoch,
    /// 0 for somebody who is no member yet.
    pub from: u64,
    /// 0 for whoever is there.
    pub to: u64,
    pub nonce: [u8; 32],
}

/// The answer of who was dialled, with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub protocol: u16,
    pub node: u64,
    pub nonce: [u8; 32],
    pub proof: [u8; 32],
}

/// Why a side ends the connection. Codes that are not known yet are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    OtherCluster,
    WrongSecret,
    ProtocolTooOld,
    ProtocolTooNew,
    OtherNode,
    Garbled,
    OtherEpoch,
    Removed,
    Unknown(u8),
}

/// Said before a side ends the connection: why, and who it is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: Reason,
    pub cluster: Uuid,
    pub epoch: Epoch,
    pub node: u64,
    pub protocol_min: u16,
    pub protocol_max: u16,
}

/// One unit of what is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Hello(Hello),
    Challenge(Challenge),
    Proof([u8; 32]),
    Welcome,
    Refusal(Refusal),
    Messages(Vec<(GroupId, Vec<u8>)>),
    Request { number: u64, body: Vec<u8> },
    Answer { number: u64, body: Vec<u8> },
    Ping,
    Pong,
}

/// What makes bytes no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbled {
    #[error("a frame of {0} bytes where at most {1} are taken")]
    Length(u32, usize),
    #[error("a checksum does not match its frame")]
    Checksum,
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a {0} that ends too early or too late")]
    Body(&'static str),
}

const HELLO: u8 = 1;
const CHALLENGE: u8 = 2;
const PROOF: u8 = 3;
const WELCOME: u8 = 4;
const REFUSAL: u8 = 5;
const MESSAGES: u8 = 16;
const REQUEST: u8 = 17;
const ANSWER: u8 = 18;
const PING: u8 = 19;
const PONG: u8 = 20;

/// Appends a frame whose body `fill` writes.
fn framed(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    out.push(kind);
    fill(out);
    let length = u32::try_from(out.len() - start - HEADER_BYTES).expect("a frame is smaller than 4 GiB");
    let length = length.to_le_bytes();
    let sum = crc32c::crc32c_append(crc32c::crc32c(&length), &out[start + HEADER_BYTES..]);
    out[start..start + 4].copy_from_slice(&length);
    out[start + 4..start + HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
}

/// Appends one frame with all these messages.
pub(super) fn put_messages(out: &mut Vec<u8>, messages: &[(GroupId, Vec<u8>)]) {
    framed(out, MESSAGES, |out| {
        for (group, message) in messages {
            out.extend_from_slice(&group.0.to_le_bytes());
            let length = u32::try_from(message.len()).expect("a message is smaller than a frame");
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(message);
        }
    });
}

/// Appends a request.
pub(super) fn put_request(out: &mut Vec<u8>, number: u64, body: &[u8]) {
    put_numbered(out, REQUEST, number, body);
}

/// Appends the answer to the request of this number.
pub(super) fn put_answer(out: &mut Vec<u8>, number: u64, body: &[u8]) {
    put_numbered(out, ANSWER, number, body);
}

fn put_numbered(out: &mut Vec<u8>, kind: u8, number: u64, body: &[u8]) {
    framed(out, kind, |out| {
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(body);
    });
}

impl Frame {
    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Hello(hello) => framed(out, HELLO, |out| hello.put(out)),
            Frame::Challenge(challenge) => framed(out, CHALLENGE, |out| {
                out.extend_from_slice(&challenge.protocol.to_le_bytes());
                out.extend_from_slice(&challenge.node.to_le_bytes());
                out.extend_from_slice(&challenge.nonce);
                out.extend_from_slice(&challenge.proof);
            }),
            Frame::Proof(proof) => framed(out, PROOF, |out| out.extend_from_slice(proof)),
            Frame::Welcome => framed(out, WELCOME, |_| ()),
            Frame::Refusal(refusal) => framed(out, REFUSAL, |out| {
                out.push(refusal.reason.code());
                out.extend_from_slice(refusal.cluster.as_bytes());
                out.extend_from_slice(&refusal.epoch.0.to_le_bytes());
                out.extend_from_slice(&refusal.node.to_le_bytes());
                out.extend_from_slice(&refusal.protocol_min.to_le_bytes());
                out.extend_from_slice(&refusal.protocol_max.to_le_bytes());
            }),
            Frame::Messages(messages) => put_messages(out, messages),
            Frame::Request { number, body } => put_request(out, *number, body),
            Frame::Answer { number, body } => put_answer(out, *number, body),
            Frame::Ping => framed(out, PING, |_| ()),
            Frame::Pong => framed(out, PONG, |_| ()),
        }
    }

    /// The frame as bytes of its own.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// The first frame of `bytes` and how many of them it takes; `Err` with the bytes that are missing at least, when
    /// it is not whole yet.
    ///
    /// # Errors
    /// [`Garbled`] when these bytes never become a frame. The length is judged before anything is waited for.
    pub fn take(bytes: &[u8], bytes_max: usize) -> Result<Result<(Frame, usize), usize>, Garbled> {
        let Some((length, _)) = bytes.split_first_chunk::<4>() else { return Ok(Err(HEADER_BYTES + 1 - bytes.len())) };
        let length = u32::from_le_bytes(*length);
        if length == 0 || length as usize > bytes_max {
            return Err(Garbled::Length(length, bytes_max));
        }
        let whole = HEADER_BYTES + length as usize;
        let Some(frame) = bytes.get(..whole) else { return Ok(Err(whole - bytes.len())) };
        let (header, content) = frame.split_at(HEADER_BYTES);
        let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..4]), content);
        if sum.to_le_bytes() != header[4..] {
            return Err(Garbled::Checksum);
        }
        Ok(Ok((Frame::parse(content[0], &content[1..])?, whole)))
    }

    fn parse(kind: u8, body: &[u8]) -> Result<Frame, Garbled> {
        let name = match kind {
            HELLO => "hello",
            CHALLENGE => "challenge",
            PROOF => "proof",
            WELCOME => "welcome",
            REFUSAL => "refusal",
            MESSAGES => "batch of messages",
            REQUEST => "request",
            ANSWER => "answer",
            PING => "ping",
            PONG => "pong",
            _ => return Err(Garbled::Kind(kind)),
        };
        let mut body = Body(body);
        Frame::fields(kind, &mut body).filter(|_| body.0.is_empty()).ok_or(Garbled::Body(name))
    }

    fn fields(kind: u8, body: &mut Body<'_>) -> Option<Frame> {
        Some(match kind {
            HELLO => Frame::Hello(Hello {
                protocol_min: body.u16()?,
                protocol_max: body.u16()?,
                cluster: Uuid::from_bytes(body.array()?),
                epoch: Epoch(body.u64()?),
                from: body.u64()?,
                to: body.u64()?,
                nonce: body.array()?,
            }),
            CHALLENGE => Frame::Challenge(Challenge {
                protocol: body.u16()?,
                node: body.u64()?,
                nonce: body.array()?,
                proof: body.array()?,
            }),
            PROOF => Frame::Proof(body.array()?),
            WELCOME => Frame::Welcome,
            REFUSAL => Frame::Refusal(Refusal {
                reason: Reason::from_code(u8::from_le_bytes(body.array()?)),
                cluster: Uuid::from_bytes(body.array()?),
                epoch: Epoch(body.u64()?),
                node: body.u64()?,
                protocol_min: body.u16()?,
                protocol_max: body.u16()?,
            }),
            MESSAGES => {
                let mut messages = Vec::new();
                while !body.0.is_empty() {
                    let group = GroupId(body.u32()?);
                    let length = body.u32()? as usize;
                    messages.push((group, body.slice(length)?.to_vec()));
                }
                Frame::Messages(messages)
            }
            REQUEST => Frame::Request { number: body.u64()?, body: body.rest() },
            ANSWER => Frame::Answer { number: body.u64()?, body: body.rest() },
            PING => Frame::Ping,
            _ => Frame::Pong,
        })
    }
}

impl Hello {
    /// The body of the frame, which both proofs cover.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.protocol_min.to_le_bytes());
        out.extend_from_slice(&self.protocol_max.to_le_bytes());
        out.extend_from_slice(self.cluster.as_bytes());
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        out.extend_from_slice(&self.from.to_le_bytes());
        out.extend_from_slice(&self.to.to_le_bytes());
        out.extend_from_slice(&self.nonce);
    }
}

impl Reason {
    fn code(self) -> u8 {
        match self {
            Reason::OtherCluster => 1,
            Reason::WrongSecret => 2,
            Reason::ProtocolTooOld => 3,
            Reason::ProtocolTooNew => 4,
            Reason::OtherNode => 5,
            Reason::Garbled => 6,
            Reason::OtherEpoch => 7,
            Reason::Removed => 8,
            Reason::Unknown(code) => code,
        }
    }

    fn from_code(code: u8) -> Reason {
        match code {
            1 => Reason::OtherCluster,
            2 => Reason::WrongSecret,
            3 => Reason::ProtocolTooOld,
            4 => Reason::ProtocolTooNew,
            5 => Reason::OtherNode,
            6 => Reason::Garbled,
            7 => Reason::OtherEpoch,
            8 => Reason::Removed,
            code => Reason::Unknown(code),
        }
    }
}

/// What is left of a frame's body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }
    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}
