//! Every frame's bytes are on record, and whatever arrives is a frame or is refused.

use crate::transport::frame::*;
use proptest::prelude::*;
use uuid::Uuid;
use vivarium_storage::Epoch;
use vivarium_storage::wal::GroupId;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn samples() -> Vec<Frame> {
    let cluster = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    vec![
        Frame::Hello(Hello {
            protocol_min: 1,
            protocol_max: 2,
            cluster,
            epoch: Epoch(5),
            from: 3,
            to: 4,
            nonce: [0xaa; 32],
        }),
        Frame::Challenge(Challenge { protocol: 2, node: 4, nonce: [0xbb; 32], proof: [0xcc; 32] }),
        Frame::Proof([0xdd; 32]),
        Frame::Welcome,
        Frame::Refusal(Refusal {
            reason: Reason::OtherNode,
            cluster,
            epoch: Epoch(5),
            node: 4,
            protocol_min: 1,
            protocol_max: 2,
        }),
        Frame::Messages(vec![(GroupId(1), b"one".to_vec()), (GroupId(2), Vec::new())]),
        Frame::Request { number: 7, body: b"body".to_vec() },
        Frame::Answer { number: 7, body: b"body".to_vec() },
        Frame::Ping,
        Frame::Pong,
    ]
}

#[test]
fn every_frame_has_its_bytes() {
    let lines: Vec<String> = samples().iter().map(|frame| hexadecimal(&frame.bytes())).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    4d000000b477dd9101010002000102030405060708090a0b0c0d0e0f10050000000000000003000000000000000400000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    4b0000002850d7f20202000400000000000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
    21000000a7690fc403dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
    01000000868ef9ba04
    260000004dac8eda05050102030405060708090a0b0c0d0e0f100500000000000000040000000000000001000200
    1400000018e4e7501001000000030000006f6e650200000000000000
    0d00000000fc40c0110700000000000000626f6479
    0d000000afb43691120700000000000000626f6479
    01000000022d6d7e13
    01000000e949a7aa14
    ");
}

#[test]
fn what_is_no_frame_is_named() {
    let refused = |bytes: &[u8]| Frame::take(bytes, 100).unwrap_err().to_string();
    assert_eq!(refused(b"GET / HTTP/1.1"), "a frame of 542393671 bytes where at most 100 are taken");
    assert_eq!(refused(&[0; 9]), "a frame of 0 bytes where at most 100 are taken");
    let mut ping = Frame::Ping.bytes();
    *ping.last_mut().unwrap() = 99;
    assert_eq!(refused(&ping), "a checksum does not match its frame");
    let raw = |content: &[u8]| {
        let length = (content.len() as u32).to_le_bytes();
        let sum = crc32c::crc32c_append(crc32c::crc32c(&length), content).to_le_bytes();
        [&length[..], &sum, content].concat()
    };
    assert_eq!(refused(&raw(&[99])), "a frame of the unknown kind 99");
    assert_eq!(refused(&raw(&[19, 0])), "a ping that ends too early or too late");
    assert_eq!(refused(&raw(&[16, 1, 0, 0, 0, 9, 0, 0, 0])), "a batch of messages that ends too early or too late");
    // A larger frame than is taken is refused before its bytes are waited for.
    assert!(Frame::take(&101u32.to_le_bytes(), 100).is_err());
}

fn frames() -> impl Strategy<Value = Frame> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let id = any::<u128>().prop_map(Uuid::from_u128);
    let reason = any::<u8>().prop_map(|code| {
        let refusal = [&[38, 0, 0, 0][..], &[0; 4], &[5, code], &[0; 36]].concat();
        let mut refusal = refusal;
        let sum = crc32c::crc32c_append(crc32c::crc32c(&refusal[..4]), &refusal[8..]);
        refusal[4..8].copy_from_slice(&sum.to_le_bytes());
        match Frame::take(&refusal, 100).unwrap().unwrap().0 {
            Frame::Refusal(refusal) => refusal.reason,
            other => panic!("{other:?}"),
        }
    });
    prop_oneof![
        (any::<(u16, u16, u64, u64, u64, [u8; 32])>(), id.clone()).prop_map(|(fields, cluster)| {
            let (protocol_min, protocol_max, epoch, from, to, nonce) = fields;
            let epoch = Epoch(epoch);
            Frame::Hello(Hello { protocol_min, protocol_max, cluster, epoch, from, to, nonce })
        }),
        any::<(u16, u64, [u8; 32], [u8; 32])>().prop_map(|(protocol, node, nonce, proof)| {
            Frame::Challenge(Challenge { protocol, node, nonce, proof })
        }),
        any::<[u8; 32]>().prop_map(Frame::Proof),
        (any::<(u64, u64, u16, u16)>(), id, reason).prop_map(|(fields, cluster, reason)| {
            let (epoch, node, protocol_min, protocol_max) = fields;
            Frame::Refusal(Refusal { reason, cluster, epoch: Epoch(epoch), node, protocol_min, protocol_max })
        }),
        prop::collection::vec((any::<u32>().prop_map(GroupId), bytes()), 0..10).prop_map(Frame::Messages),
        (any::<u64>(), bytes()).prop_map(|(number, body)| Frame::Request { number, body }),
        (any::<u64>(), bytes()).prop_map(|(number, body)| Frame::Answer { number, body }),
        Just(Frame::Welcome),
        Just(Frame::Ping),
        Just(Frame::Pong),
    ]
}

proptest! {
    #[test]
    fn frames_come_back_one_after_the_other(frames in prop::collection::vec(frames(), 1..5)) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.put(&mut bytes));
        let mut rest = &bytes[..];
        for frame in &frames {
            // Part of a frame is never a frame, and says how much is missing at least.
            for cut in [0, 3, 8, rest.len() / 2] {
                if let Ok(Err(missing)) = Frame::take(&rest[..cut.min(rest.len())], FRAME_BYTES_MAX) {
                    prop_assert!(cut + missing <= rest.len());
                }
            }
            let (taken, length) = Frame::take(rest, FRAME_BYTES_MAX).unwrap().unwrap();
            prop_assert_eq!(&taken, frame);
            rest = &rest[length..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn one_wrong_bit_is_never_delivered(frame in frames(), bit in any::<prop::sample::Index>()) {
        let mut bytes = frame.bytes();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        // A larger length may still be waited for; what follows it then fails its checksum.
        prop_assert!(!matches!(Frame::take(&bytes, FRAME_BYTES_MAX), Ok(Ok(_))));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Frame::take(&body, FRAME_BYTES_MAX);
        // Also with a checksum that is right: what is accepted is what would be sent.
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(body.len() as u32 + 1).to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&bytes), &[kind]), &body);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(&body);
        if let Ok(Ok((frame, length))) = Frame::take(&bytes, FRAME_BYTES_MAX) {
            prop_assert_eq!(length, bytes.len());
            prop_assert_eq!(frame.bytes(), bytes);
        }
    }
}
