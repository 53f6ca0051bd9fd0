//! Nodes with certificates speak to each other, and to nobody else.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An authority, and what it signs.
struct Authority(String, Issuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    }

    fn tls(&self, host: &str) -> PeerTls {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.1).unwrap();
        PeerTls {
            certificate: certificate.pem().into(),
            key: key.serialize_pem().into(),
            authority: self.0.clone().into(),
        }
    }
}

fn with(node: u64, tls: &PeerTls) -> TransportOptions {
    TransportOptions { tls: Some(tls.clone()), ..options(node, "127.0.0.1:0") }
}

#[tokio::test]
async fn nodes_with_certificates_of_one_authority_meet() {
    let authority = Authority::new();
    let tls = authority.tls("127.0.0.1");
    let ((one, _), (two, _)) = (started(with(1, &tls)).await, started(with(2, &authority.tls("127.0.0.1"))).await);
    one.set_peers(book([(2, two.address())]));
    assert_eq!(one.request(2, b"l".to_vec(), soon()).await.unwrap().len(), frame::BODY_BYTES_MAX);
    let address = two.address().to_owned();
    let (answer, ()) = both(one.request(2, b"never".to_vec(), soon()), async {
        sleep(Duration::from_millis(100)).await;
        two.close().await;
    })
    .await;
    assert_eq!(answer, Err(RequestError::Unknown));
    let (_two, _) = started(TransportOptions { listen: address, ..with(2, &tls) }).await;
    assert_eq!(one.request(2, b"x".to_vec(), soon()).await.unwrap(), b"answer to x");

    let runtime = Runtime::seeded(3);
    let stranger = Stranger { cluster: CLUSTER, secret: &Secret([9; 32]), tls: Some(&tls), runtime: &runtime };
    assert_eq!(ask(stranger, one.address(), b"join".to_vec(), soon()).await.unwrap(), b"answer to join");
}

#[tokio::test]
async fn what_does_not_fit_is_told() {
    let (authority, other) = (Authority::new(), Authority::new());
    let tls = authority.tls("127.0.0.1");
    let told = async |one, two| {
        let ((one, _), (two, _)) = (started(one).await, started(two).await);
        one.set_peers(book([(2, two.address())]));
        trouble(&one).await
    };
    let elsewhere = told(with(1, &tls), with(2, &authority.tls("db-2.example"))).await;
    assert!(elsewhere.contains("TLS: invalid peer certificate: certificate not valid for name"), "{elsewhere}");
    let foreign = told(with(1, &tls), with(2, &other.tls("127.0.0.1"))).await;
    assert!(foreign.contains("TLS: invalid peer certificate: "), "{foreign}");
    // Who dials believes the other side, which does not believe it.
    let doubted = PeerTls { authority: tls.authority.clone(), ..other.tls("127.0.0.1") };
    let doubted = told(with(1, &doubted), with(2, &tls)).await;
    assert!(doubted.contains("received fatal alert"), "{doubted}");
    let plain = told(with(1, &tls), options(2, "127.0.0.1:0")).await;
    assert!(plain.contains("TLS: tls handshake eof; all nodes of a cluster have TLS or none"), "{plain}");
    let private = told(options(1, "127.0.0.1:0"), with(2, &tls)).await;
    assert!(private.contains("TLS: the other side has it, this node has not; "), "{private}");
}

#[tokio::test]
async fn certificates_that_cannot_be_used_stop_the_start() {
    let tls = Authority::new().tls("127.0.0.1");
    let broken = [
        (PeerTls { certificate: Vec::new(), ..tls.clone() }, "TLS, the certificate: it holds no PEM certificate"),
        (PeerTls { key: b"none".to_vec(), ..tls.clone() }, "TLS, the private key: "),
        (PeerTls { authority: Vec::new(), ..tls.clone() }, "TLS, the authority: it holds no PEM certificate"),
        (PeerTls { key: Authority::new().tls("x").key, ..tls.clone() }, "TLS, the certificate and its key: "),
    ];
    for (tls, expected) in broken {
        let started = Transport::start(with(1, &tls), Arc::new(Recorder::default())).await;
        let Err(Error::Listen { reason, .. }) = started else { panic!("it starts without {expected}") };
        assert!(reason.starts_with(expected), "{reason}");
    }
    assert_eq!(format!("{tls:?}"), "PeerTls(..)");
}

#[tokio::test]
async fn nothing_is_readable_on_the_way() {
    let tls = Authority::new().tls("127.0.0.1");
    let (two, _) = started(with(2, &tls)).await;
    let (between, there) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), two.address().to_owned());
    let address = between.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let copy = seen.clone();
    let _between = spawn("between", async move {
        let (here, _) = between.accept().await.unwrap();
        let there = TcpStream::connect(there).await.unwrap();
        let ((mut from_one, mut to_one), (mut from_two, mut to_two)) = (here.into_split(), there.into_split());
        let back = async { tokio::io::copy(&mut from_two, &mut to_one).await.map(|_| ()) };
        let forth = async {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = from_one.read(&mut buffer).await?;
                copy.lock().unwrap().extend_from_slice(&buffer[..read]);
                to_two.write_all(&buffer[..read]).await?;
            }
        };
        let _ = wire::first(back, forth).await;
    });
    let (one, _) = started(with(1, &tls)).await;
    one.set_peers(book([(2, &address)]));
    let asked = b"xa word that nobody else may read";
    one.request(2, asked.to_vec(), soon()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 500 && !seen.windows(asked.len()).any(|window| window == asked));
    assert!(!seen.windows(8).any(|window| window == frame::MAGIC));
}
