//! What a node needs to join: the cluster's id and its secret, as one word that can be copied.

use crate::transport::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

const PREFIX: &str = "vivarium-";
/// Cluster, secret, and a checksum over both against slips in copying.
const BYTES: usize = 16 + 32 + 4;

/// A cluster's id and its secret. Whoever has it may join: keep it as you keep a password.
#[derive(Clone)]
pub struct Token {
    pub(crate) cluster: Uuid,
    pub(crate) secret: Secret,
}

impl Token {
    /// The cluster that it lets one join.
    pub fn cluster(&self) -> Uuid {
        self.cluster
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// The word itself, secret and all.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [&self.cluster.as_bytes()[..], &self.secret.0[..]].concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Token, String> {
        let word = text.trim().strip_prefix(PREFIX).ok_or("a join token begins with \"vivarium-\"")?;
        let bytes = URL_SAFE_NO_PAD.decode(word).map_err(|_| "the join token holds a character that none has")?;
        if bytes.len() != BYTES {
            return Err("the join token is too short or too long: copy all of it".into());
        }
        let (content, sum) = bytes.split_at(BYTES - 4);
        if crc32c::crc32c(content).to_le_bytes() != sum {
            return Err("the join token was not copied right: its checksum does not fit".into());
        }
        let cluster = Uuid::from_slice(&content[..16]).map_err(|error| error.to_string())?;
        let secret = content[16..].try_into().map_err(|_| "the join token has no secret")?;
        Ok(Token { cluster, secret: Secret(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_being_copied_and_a_slip_is_noticed() {
        let token = Token { cluster: Uuid::from_u128(9), secret: Secret([3; 32]) };
        let text = token.to_string();
        assert_eq!(text.parse::<Token>().unwrap().to_string(), text);
        assert!(!format!("{token:?}").contains("3, 3"), "the secret is never printed by accident");
        let slip = text.replacen("AwMD", "AwMC", 1);
        for bad in [slip.as_str(), "", "vivarium-", &text[..40], &text[1..]] {
            assert!(bad.parse::<Token>().is_err(), "{bad}");
        }
    }
}
