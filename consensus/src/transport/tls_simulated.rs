//! The simulator has no TLS: there the network is as private as the plan says.

use super::PeerTls;
use super::ending::Ending;
use super::wire::Duplex;
use tokio::net::TcpStream;

/// There is none.
pub(super) enum Tls {}

impl Tls {
    /// # Errors
    /// Always.
    pub fn new(_files: &PeerTls) -> Result<Tls, String> {
        Err("the simulator has none".to_owned())
    }

    pub async fn dial(&self, _address: &str, _stream: TcpStream) -> Result<Box<dyn Duplex>, Ending> {
        match *self {}
    }

    pub async fn accept(&self, _stream: TcpStream) -> Result<Box<dyn Duplex>, Ending> {
        match *self {}
    }
}
