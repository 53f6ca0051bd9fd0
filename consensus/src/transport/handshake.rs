//! How two nodes find that they belong together: both prove that they know the secret, which itself never travels.
//!
//! A proof is HMAC-SHA-256 under the secret over the role, the whole hello and the other side's choice and nonce: it
//! serves once, in one direction, between these two, for this protocol.

use super::Secret;
use super::ending::{Ending, refusal};
use super::frame::{Challenge, Frame, Hello, MAGIC, PROTOCOLS, Reason, STRANGER_BYTES_MAX};
use super::tls::Tls;
use super::wire::{Incoming, Outgoing};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::time::Duration;
use uuid::Uuid;
use vivarium_storage::Epoch;
use vivarium_storage::runtime::{Runtime, mutant, sometimes, timeout};

/// How long the whole handshake may take, between nodes that may be on two continents.
pub(super) const HANDSHAKE_MAX: Duration = Duration::from_secs(2);

/// Who we are, and what we prove with.
pub(super) struct Identity {
    pub cluster: Uuid,
    /// 0 for somebody who is no member yet.
    pub node: u64,
    pub epoch: Epoch,
    pub secret: Secret,
    pub tls: Option<Tls>,
    pub runtime: Runtime,
}

/// Which side's proof it is.
#[derive(Clone, Copy)]
enum Role {
    Dialled = 1,
    Dials = 2,
}

impl Identity {
    fn nonce(&self) -> [u8; 32] {
        let mut nonce = [0; 32];
        for part in nonce.chunks_exact_mut(8) {
            part.copy_from_slice(&self.runtime.random().to_le_bytes());
        }
        nonce
    }

    fn mac(&self, role: Role, hello: &Hello, challenge: &Challenge) -> Hmac<Sha256> {
        let mut said = b"vivarium peer handshake".to_vec();
        said.push(role as u8);
        hello.put(&mut said);
        said.extend_from_slice(&challenge.protocol.to_le_bytes());
        said.extend_from_slice(&challenge.node.to_le_bytes());
        said.extend_from_slice(&challenge.nonce);
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret.0).expect("HMAC takes keys of any length");
        mac.update(&said);
        mac
    }

    fn proof(&self, role: Role, hello: &Hello, challenge: &Challenge) -> [u8; 32] {
        self.mac(role, hello, challenge).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    fn proves(&self, role: Role, hello: &Hello, challenge: &Challenge, proof: &[u8; 32]) -> bool {
        self.mac(role, hello, challenge).verify_slice(proof).is_ok()
    }

    /// Says who dials whom.
    fn hello(&self, to: u64) -> Hello {
        let (protocol_min, protocol_max) = PROTOCOLS;
        Hello {
            protocol_min,
            protocol_max,
            cluster: self.cluster,
            epoch: self.epoch,
            from: self.node,
            to,
            nonce: self.nonce(),
        }
    }

    /// Judges a hello and answers it with the newest protocol that both speak.
    fn challenge(&self, hello: &Hello) -> Result<Challenge, Ending> {
        let (min, max) = PROTOCOLS;
        let reason = if hello.protocol_max < min {
            Some(Reason::ProtocolTooOld)
        } else if hello.protocol_min > max {
            Some(Reason::ProtocolTooNew)
        } else if hello.cluster != self.cluster {
            Some(Reason::OtherCluster)
        } else if hello.from != 0 && hello.epoch != self.epoch && !mutant("epoch-01") {
            // Who is no member yet learns the epoch with its number.
            Some(Reason::OtherEpoch)
        } else if hello.to != 0 && hello.to != self.node {
            Some(Reason::OtherNode)
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(reason.refusing(hello, self));
        }
        let protocol = hello.protocol_max.min(max);
        let mut challenge = Challenge { protocol, node: self.node, nonce: self.nonce(), proof: [0; 32] };
        challenge.proof = self.proof(Role::Dialled, hello, &challenge);
        Ok(challenge)
    }

    /// Judges the answer to our hello, and proves in turn that we know the secret.
    fn answer(&self, hello: &Hello, challenge: &Challenge) -> Result<[u8; 32], Ending> {
        if !self.proves(Role::Dialled, hello, challenge, &challenge.proof) {
            let text = format!(
                "node {} does not know this node's secret: one of the two must join again with a token from \
                 `vivarium cluster token`",
                challenge.node
            );
            return Err(Ending::Refusing(refusal(Reason::WrongSecret, self), text));
        }
        if !(hello.protocol_min..=hello.protocol_max).contains(&challenge.protocol) {
            return Err(Ending::OutOfTurn("a protocol that was not offered"));
        }
        Ok(self.proof(Role::Dials, hello, challenge))
    }
}

/// Opens a connection that we dialled, to `to`, or to whoever is there for 0.
///
/// # Errors
/// When the other side refuses us or we refuse it. Then it was told why.
pub(super) async fn open(
    us: &Identity,
    to: u64,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
) -> Result<(), Ending> {
    let opened = timeout(HANDSHAKE_MAX, opening(us, to, incoming, outgoing)).await;
    finished(us, opened.unwrap_or(Err(Ending::Late("answer to the handshake", HANDSHAKE_MAX))), incoming, outgoing)
        .await
}

async fn opening(us: &Identity, to: u64, incoming: &mut Incoming, outgoing: &mut Outgoing) -> Result<(), Ending> {
    let hello = us.hello(to);
    let mut first = MAGIC.to_vec();
    Frame::Hello(hello.clone()).put(&mut first);
    outgoing.write(&first).await?;
    incoming.magic().await?;
    let challenge = match incoming.frame(STRANGER_BYTES_MAX).await? {
        Frame::Challenge(challenge) => challenge,
        Frame::Refusal(refusal) => return Err(refusal.refused(us, to)),
        _ => return Err(Ending::OutOfTurn("something else than the answer to the handshake")),
    };
    let proof = us.answer(&hello, &challenge)?;
    outgoing.write(&Frame::Proof(proof).bytes()).await?;
    match incoming.frame(STRANGER_BYTES_MAX).await? {
        Frame::Welcome => Ok(()),
        Frame::Refusal(refusal) => Err(refusal.refused(us, to)),
        _ => Err(Ending::OutOfTurn("something else than the end of the handshake")),
    }
}

/// Takes a connection that somebody else dialled, and says who: 0 for one who is no member yet.
///
/// # Errors
/// When we refuse the other side, or it us. Then it was told why.
pub(super) async fn take(us: &Identity, incoming: &mut Incoming, outgoing: &mut Outgoing) -> Result<u64, Ending> {
    let taken = timeout(HANDSHAKE_MAX, taking(us, incoming, outgoing)).await;
    finished(us, taken.unwrap_or(Err(Ending::Late("handshake", HANDSHAKE_MAX))), incoming, outgoing).await
}

async fn taking(us: &Identity, incoming: &mut Incoming, outgoing: &mut Outgoing) -> Result<u64, Ending> {
    incoming.magic().await?;
    // Whoever speaks our language is answered in it, also when the answer is a refusal.
    outgoing.write(&MAGIC).await?;
    let Frame::Hello(hello) = incoming.frame(STRANGER_BYTES_MAX).await? else {
        return Err(Ending::OutOfTurn("something else than a hello"));
    };
    let challenge = us.challenge(&hello)?;
    outgoing.write(&Frame::Challenge(challenge.clone()).bytes()).await?;
    let proof = match incoming.frame(STRANGER_BYTES_MAX).await? {
        Frame::Proof(proof) => proof,
        Frame::Refusal(refusal) => return Err(refusal.refused(us, hello.from)),
        _ => return Err(Ending::OutOfTurn("something else than a proof")),
    };
    if !us.proves(Role::Dials, &hello, &challenge, &proof) {
        return Err(Reason::WrongSecret.refusing(&hello, us));
    }
    outgoing.write(&Frame::Welcome.bytes()).await?;
    Ok(hello.from)
}

/// What a browser or a client is told that meets the peer port.
const NOT_HERE: &[u8] = b"HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This port is for other nodes of the cluster. Give clients the HTTP address instead.\n";

async fn finished<T>(
    us: &Identity,
    result: Result<T, Ending>,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
) -> Result<T, Ending> {
    if let Err(ending) = &result {
        if matches!(ending, Ending::Refused(..) | Ending::Refusing(..)) {
            sometimes("a handshake between nodes was refused");
        }
        if let Some(refusal) = ending.farewell(us) {
            outgoing.farewell(incoming, &Frame::Refusal(refusal).bytes()).await;
        } else if matches!(ending, Ending::Foreign(_)) {
            outgoing.farewell(incoming, NOT_HERE).await;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    //! What each side refuses, decided without a connection.

    use super::*;

    fn identity(node: u64, secret: u8) -> Identity {
        let runtime = Runtime::seeded(node);
        Identity {
            cluster: Uuid::from_u128(7),
            node,
            epoch: Epoch(1_795_000_000_000_000),
            secret: Secret([secret; 32]),
            tls: None,
            runtime,
        }
    }

    #[test]
    fn both_prove_what_they_know() {
        let (one, two) = (identity(1, 9), identity(2, 9));
        let hello = one.hello(2);
        let challenge = two.challenge(&hello).unwrap();
        let proof = one.answer(&hello, &challenge).unwrap();
        assert!(two.proves(Role::Dials, &hello, &challenge, &proof));
        // It serves once: not in the other role, not under another nonce, not for another hello.
        assert!(!two.proves(Role::Dialled, &hello, &challenge, &proof));
        assert!(!two.proves(Role::Dials, &hello, &two.challenge(&hello).unwrap(), &proof));
        assert!(!two.proves(Role::Dials, &one.hello(2), &challenge, &proof));
        assert!(!two.proves(Role::Dials, &Hello { protocol_max: 2, ..hello }, &challenge, &proof));
    }

    #[test]
    fn another_secret_is_found_by_who_dials_first() {
        let hello = identity(1, 9).hello(2);
        let challenge = identity(2, 8).challenge(&hello).unwrap();
        let ending = identity(1, 9).answer(&hello, &challenge).unwrap_err();
        assert!(matches!(&ending, Ending::Refusing(refusal, _) if refusal.reason == Reason::WrongSecret));
        assert!(ending.to_string().starts_with("node 2 does not know this node's secret"), "{ending}");
    }

    #[test]
    fn a_hello_is_refused_with_what_to_do() {
        let us = identity(2, 9);
        let hello = identity(1, 9).hello(2);
        let refused = |hello: Hello| {
            let Err(Ending::Refusing(refusal, text)) = us.challenge(&hello) else { panic!("{hello:?} is taken") };
            let there = Identity { cluster: hello.cluster, epoch: hello.epoch, ..identity(1, 9) };
            let Ending::Refused(_, there) = refusal.refused(&there, hello.to) else { panic!() };
            (text, there)
        };
        let (here, there) = refused(Hello { cluster: Uuid::from_u128(8), ..hello.clone() });
        assert!(here.contains("node 1 of cluster 00000000-0000-0000-0000-000000000008 called"), "{here}");
        assert!(there.contains("belongs to cluster 00000000-0000-0000-0000-000000000007, this node to 0"), "{there}");
        let (here, there) = refused(Hello { to: 3, ..hello.clone() });
        assert_eq!(here, "node 1 looks for node 3 at this address, which is node 2: correct its address");
        assert_eq!(there, "the address belongs to node 2, not to node 3: correct the address of node 3");
        let (here, there) = refused(Hello { protocol_min: 2, protocol_max: 3, ..hello.clone() });
        assert_eq!(here, "node 1 speaks the peer protocols 2 to 3, this node 1 to 1: upgrade this node");
        assert_eq!(there, "node 2 speaks the peer protocols 1 to 1, this node 1 to 1: upgrade node 2");
        let (here, _) = refused(Hello { protocol_min: 0, protocol_max: 0, ..hello.clone() });
        assert_eq!(here, "node 1 speaks the peer protocols 0 to 0, this node 1 to 1: upgrade node 1");
        let before = "belongs to the cluster before its recovery of 2026-11-18T11:06:40Z";
        let anew = "and join anew with an empty one";
        let (here, there) = refused(Hello { epoch: Epoch(0), ..hello.clone() });
        assert_eq!(here, format!("node 1 {before}: delete the data folder of node 1 {anew}"));
        assert_eq!(there, format!("this node {before}: delete its data folder {anew}"));
        let before = before.replace(":40Z", ":41Z");
        let (here, there) = refused(Hello { epoch: Epoch(us.epoch.0 + 1_000_000), ..hello.clone() });
        let after = "node 1 to the one after it";
        assert_eq!(here, format!("this node {before}, {after}: delete this node's data folder {anew}"));
        assert_eq!(there, format!("node 2 {before}: delete the data folder of node 2 {anew}"));
        assert_eq!(us.challenge(&Hello { protocol_max: 9, ..hello.clone() }).unwrap().protocol, 1);
        assert_eq!(us.challenge(&Hello { to: 0, from: 0, epoch: Epoch(0), ..hello }).unwrap().node, 2);
    }
}
