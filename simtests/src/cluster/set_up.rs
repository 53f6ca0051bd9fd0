//! Before anything goes wrong: the first node founds the cluster, the others join, the schema is declared.

use super::{Cluster, LOOK, PATIENCE, now};
use crate::check::Violation;
use crate::house::{Door, Start};
use crate::seat::State;
use crate::simfs::interpose;
use madsim::time::sleep;

impl Cluster {
    /// The first node founds the cluster, the others join one after the other; the schema is declared.
    pub(super) async fn set_up(&mut self) -> Result<(), Violation> {
        for (place, skew) in self.cluster.skews_micros.clone().into_iter().enumerate() {
            if let Some(seat) = self.seats.get_mut(place) {
                seat.machine.skew(skew, None);
            }
        }
        let address = self.seats[0].machine.address();
        self.seats[0].start(Start::Founder { address: address.clone() })?;
        let first = self.until_up(0).await?;
        let token = first.token.clone().ok_or_else(|| Violation::new("harness", "token", "there is none"))?;
        let declared = first.declare().await;
        declared
            .ok_or_else(|| Violation::new("liveness", "hangs", "the schema is not declared in time"))?
            .map_err(|error| Violation::new("liveness", "no-schema", error))?;
        self.members.insert(0);
        self.membership.token = Some(token.clone());
        for place in 1..self.founding_machines() {
            let newcomer = self.seats[place].machine.address();
            let start = Start::Newcomer { address: newcomer, token: token.clone(), members: vec![address.clone()] };
            self.seats[place].start(start)?;
            self.until_up(place).await?;
            self.members.insert(place);
        }
        self.recover().await?;
        self.set_up_at = interpose::stamp();
        Ok(())
    }

    /// The machines that form the cluster at first; those after them are spare.
    fn founding_machines(&self) -> usize {
        usize::try_from(self.cluster.nodes).expect("a cluster has few nodes")
    }

    async fn until_up(&mut self, place: usize) -> Result<Door, Violation> {
        let since = now();
        loop {
            self.tend()?;
            match &self.seats[place].state {
                State::Up(door) => return Ok(door.clone()),
                _ if now() - since > PATIENCE => {
                    let detail = format!("node {} does not open in time", place + 1);
                    return Err(Violation::new("recovery", "hangs", detail));
                }
                _ => sleep(LOOK).await,
            }
        }
    }
}
