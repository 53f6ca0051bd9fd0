//! The way of a checkpoint's parts over the transport.

use super::question::{Question, Reply};
use crate::checkpoint::Ask;
use crate::transport::{RequestError, Transport};
use vivarium_storage::runtime::now;

/// Asks peers for parts of a checkpoint.
pub(crate) fn pull(transport: Transport) -> Ask {
    Ask::new(move |peer, body, deadline| {
        let transport = transport.clone();
        Box::pin(async move {
            let question = Question::Checkpoint(body).encode(deadline.saturating_duration_since(now()));
            let reply = transport.request(peer, question, deadline).await?;
            match Reply::decode(&reply) {
                Ok(Reply::Bytes(part)) => Ok(part),
                Ok(Reply::Failed(failure)) => Err(RequestError::NotSent(format!("{failure:?}"))),
                Ok(_) => Err(RequestError::NotSent("the peer answers something else".to_owned())),
                Err(error) => Err(RequestError::NotSent(format!("the answer cannot be read: {error}"))),
            }
        })
    })
}
