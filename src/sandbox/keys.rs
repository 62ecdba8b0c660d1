//! SSH keys of one sandbox, made anew for each: one for the person, one per host.

use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use super::error::SandboxError;
use crate::model::{HostName, LabId};

/// An Ed25519 key pair.
#[derive(Clone)]
pub struct KeyPair {
    /// OpenSSH format, several lines.
    pub private: String,
    /// `ssh-ed25519 AAAA... COMMENT`, one line without its end.
    pub public: String,
}

/// All the keys of one sandbox.
pub struct SandboxKeys {
    /// Of the person who logs in.
    pub person: KeyPair,
    /// Of the hosts, in their order.
    pub hosts: Vec<KeyPair>,
}

impl SandboxKeys {
    /// New ones.
    ///
    /// # Errors
    /// As [`KeyPair::generate`].
    pub fn generate<'a>(
        lab: &LabId,
        hosts: impl Iterator<Item = &'a HostName>,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            person: KeyPair::generate(&format!("lvslab {lab}"))?,
            hosts: hosts
                .map(|host| KeyPair::generate(host.as_str()))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl KeyPair {
    /// A new pair.
    ///
    /// # Errors
    /// [`SandboxError::Keys`] when the system has no randomness.
    pub fn generate(comment: &str) -> Result<Self, SandboxError> {
        let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(refused)?;
        key.set_comment(comment);
        Ok(Self {
            private: key.to_openssh(LineEnding::LF).map_err(refused)?.to_string(),
            public: key.public_key().to_openssh().map_err(refused)?,
        })
    }
}

fn refused(error: ssh_key::Error) -> SandboxError {
    SandboxError::Keys {
        cause: error.to_string(),
    }
}

/// Without the private half, which has no business in a log.
impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_new_and_its_halves_belong_together() {
        let one = KeyPair::generate("web1").unwrap();
        let two = KeyPair::generate("web1").unwrap();
        assert_ne!(one.public, two.public);
        let private = PrivateKey::from_openssh(&one.private).unwrap();
        assert_eq!(private.public_key().to_openssh().unwrap(), one.public);
        assert!(one.public.starts_with("ssh-ed25519 ") && one.public.ends_with(" web1"));
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
