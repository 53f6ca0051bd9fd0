//! Requests for chunks that are under way at once. Their answers are taken in the order of the chunks.
//!
//! One at first, and one more with each that came: a way that breaks often is not asked for much in vain.

use super::CHUNKS_IN_FLIGHT_MAX;
use super::fetch::Asked;
use crate::transport::RequestError;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

type Answer = Result<Vec<u8>, RequestError>;

/// What was asked for, oldest first.
pub(super) struct Flight {
    asked: VecDeque<Slot>,
    /// How many may be under way.
    most: usize,
}

enum Slot {
    Waiting(Asked),
    Answered(Answer),
}

impl Flight {
    /// Nothing is under way.
    pub fn new() -> Flight {
        Flight { asked: VecDeque::new(), most: 1 }
    }

    /// Whether one more may be asked for.
    pub fn has_room(&self) -> bool {
        self.asked.len() < self.most
    }

    /// One more may be under way from here on.
    pub fn widen(&mut self) {
        self.most = (self.most + 1).min(CHUNKS_IN_FLIGHT_MAX);
    }

    /// How many were asked for and not taken.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Asks for the chunk after all others.
    pub fn ask(&mut self, asked: Asked) {
        self.asked.push_back(Slot::Waiting(asked));
    }

    /// Asks once more for the chunk that was just taken.
    pub fn ask_again(&mut self, asked: Asked) {
        self.asked.push_front(Slot::Waiting(asked));
    }

    /// The answer for the first of them, once it is there. All others are on their way meanwhile.
    ///
    /// # Panics
    /// When nothing was asked for.
    pub async fn first(&mut self) -> Answer {
        poll_fn(|context| {
            for slot in &mut self.asked {
                if let Slot::Waiting(asked) = slot
                    && let Poll::Ready(answer) = asked.as_mut().poll(context)
                {
                    *slot = Slot::Answered(answer);
                }
            }
            match self.asked.pop_front().expect("something was asked for") {
                Slot::Answered(answer) => Poll::Ready(answer),
                waiting => {
                    self.asked.push_front(waiting);
                    Poll::Pending
                }
            }
        })
        .await
    }
}
