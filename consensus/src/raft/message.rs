//! What one node says to another about a group, as raft-rs words it and as the wire carries it.

use protobuf::Message as _;

/// What one node says to another.
#[derive(Debug)]
pub(crate) struct Message(pub(super) raft::eraftpb::Message);

impl Message {
    /// The node that it is for.
    pub fn to(&self) -> u64 {
        self.0.to
    }

    /// Its bytes for the wire.
    pub fn encode(&self) -> Vec<u8> {
        self.0.write_to_bytes().expect("a message is encoded in memory")
    }

    /// Reads what [`Message::encode`] wrote, when it is from `from` and for `to`.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8], from: u64, to: u64) -> Result<Message, String> {
        let message = raft::eraftpb::Message::parse_from_bytes(bytes).map_err(|error| error.to_string())?;
        if (message.from, message.to) != (from, to) {
            return Err(format!("a message of node {} to node {} came from node {from}", message.from, message.to));
        }
        Ok(Message(message))
    }
}
