//! The commands that a node is made and started with, ready to be pasted. What was given for one is repeated in the other.

use crate::config::PeerTlsFiles;
use std::path::Path;

/// What stands for an address that nobody gave yet.
pub const HOST_PORT: &str = "HOST:PORT";

/// A node that is to be made and started.
pub struct Recipe<'a> {
    pub data: &'a Path,
    pub cluster_listen: &'a str,
    pub advertise: Option<&'a str>,
    pub tls: &'a PeerTlsFiles,
}

impl Recipe<'_> {
    /// The command that makes the folder a node of the cluster that `member` is of.
    pub fn join(&self, member: &str) -> String {
        let place = self.place();
        format!("vivarium cluster join {place} --member {} --token-file token{}", quoted(member), self.certificates())
    }

    /// The command that starts the node.
    pub fn serve(&self) -> String {
        format!("vivarium serve {}{}", self.place(), self.certificates())
    }

    fn place(&self) -> String {
        let advertise = self.advertise.map(|advertise| format!(" --advertise {}", quoted(advertise)));
        format!(
            "--data {} --cluster-listen {}{}",
            quoted(&self.data.display().to_string()),
            quoted(self.cluster_listen),
            advertise.unwrap_or_default()
        )
    }

    fn certificates(&self) -> String {
        let PeerTlsFiles { certificate, key, authority } = self.tls;
        let files = [("certificate", certificate), ("key", key), ("authority", authority)];
        let flag = |(name, file): (&str, &Option<std::path::PathBuf>)| {
            let file = quoted(&file.as_ref()?.display().to_string());
            Some(format!(" --cluster-{name} {file}"))
        };
        files.into_iter().filter_map(flag).collect()
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:[]@%+=,".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_repeated() {
        let tls = PeerTlsFiles {
            certificate: Some("tls/node 2.pem".into()),
            key: Some("tls/it's.key".into()),
            authority: Some("tls/ca.pem".into()),
        };
        let recipe = Recipe {
            data: Path::new("./node-2"),
            cluster_listen: "0.0.0.0:4100",
            advertise: Some("db2.example:4100"),
            tls: &tls,
        };
        insta::assert_snapshot!([recipe.join("db1.example:4100"), recipe.serve()].join("\n"), @r"
        vivarium cluster join --data ./node-2 --cluster-listen 0.0.0.0:4100 --advertise db2.example:4100 --member db1.example:4100 --token-file token --cluster-certificate 'tls/node 2.pem' --cluster-key 'tls/it'\''s.key' --cluster-authority tls/ca.pem
        vivarium serve --data ./node-2 --cluster-listen 0.0.0.0:4100 --advertise db2.example:4100 --cluster-certificate 'tls/node 2.pem' --cluster-key 'tls/it'\''s.key' --cluster-authority tls/ca.pem
        ");
        let plain = Recipe { advertise: None, tls: &PeerTlsFiles::default(), ..recipe };
        insta::assert_snapshot!([plain.join("[::1]:4100"), plain.serve()].join("\n"), @r"
        vivarium cluster join --data ./node-2 --cluster-listen 0.0.0.0:4100 --member [::1]:4100 --token-file token
        vivarium serve --data ./node-2 --cluster-listen 0.0.0.0:4100
        ");
    }
}
