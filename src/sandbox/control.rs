//! What the controller and PID 1 of the sandbox say to each other over the virtio-serial port.
//!
//! One message is one line of JSON. A controller may be killed in the middle of a message, and the next one goes on with
//! the same byte stream. So a reader must find the start of the next message by itself, and every message starts *and*
//! ends with a line feed. An answer has the number of its request; a controller skips answers to other requests.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::description::Description;
use crate::model::HostName;

/// Name of the virtio-serial port, as in `/sys/class/virtio-ports/*/name`.
pub const PORT_NAME: &str = "lvslab.control";

/// Longest message either side accepts, bytes. A description of 200 hosts is about 200 kB.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A message with the number that ties an answer to its request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// Chosen by the controller, different for every request.
    pub id: u64,
    /// The message itself.
    pub body: T,
}

/// From the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Answered by [`Reply::Ready`] once hosts can be made.
    Ready,
    /// Make these hosts; answered by [`Reply::Started`] when all of them accept logins.
    Start(Box<Description>),
    /// Restart one host from its own disk; answered by [`Reply::Rebooted`] when it accepts logins again.
    Reboot {
        /// Which.
        host: HostName,
    },
    /// Answered by [`Reply::Status`].
    Status,
    /// The machine was just restored from a saved state: set the clock, mix in the seed, change the keys, end the
    /// SSH sessions whose other end no longer exists. Answered by [`Reply::Refreshed`].
    Refresh {
        /// Time and randomness.
        fresh: Freshness,
        /// Keys in place of the saved ones.
        keys: NewKeys,
    },
}

/// What must not be the same after two restores of one saved state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Seconds and nanoseconds since 1970, UTC.
    pub clock: (i64, i64),
    /// 64 random bytes in base64.
    pub seed_base64: String,
}

/// Keys of a machine's hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKeys {
    /// Who may log in: one line of `authorized_keys`, in place of the line that the hosts were made with.
    pub authorized_key: String,
    /// Private host keys, OpenSSH format, in the order of the hosts.
    pub host_keys: Vec<String>,
}

/// From PID 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Answer to [`Request::Ready`].
    Ready,
    /// Answer to [`Request::Start`].
    Started,
    /// Answer to [`Request::Reboot`].
    Rebooted,
    /// Answer to [`Request::Status`].
    Status {
        /// One entry per host, in the description's order.
        hosts: Vec<GuestStatus>,
    },
    /// Answer to [`Request::Refresh`].
    Refreshed,
    /// The request could not be served.
    Failed {
        /// Why, a lower-case fragment.
        cause: String,
    },
}

/// One host as PID 1 sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestStatus {
    pub name: HostName,
    /// What it is doing.
    pub state: GuestState,
    /// Seconds since it was switched on or rebooted; 0 unless it is up.
    pub uptime_seconds: u64,
}

/// What a host of the sandbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestState {
    /// Between being switched on and accepting logins.
    Booting,
    /// Accepts logins.
    Up,
    /// Asked to shut down for a reboot.
    Stopping,
    /// Not running: it was powered off from inside, or its init ended.
    Off,
}

/// A message as bytes for the wire.
///
/// # Panics
/// Never: the message types have no maps with keys that are not text.
#[must_use]
pub fn encode<T: Serialize>(message: &Envelope<T>) -> Vec<u8> {
    let mut bytes = vec![b'\n'];
    serde_json::to_writer(&mut bytes, message).expect("plain data always becomes JSON");
    bytes.push(b'\n');
    bytes
}

/// Cuts a byte stream into messages.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
    /// The current line was longer than [`MAX_MESSAGE_BYTES`]: skip to its end.
    oversized: bool,
}

impl Lines {
    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Forgets an unfinished line; the writer is gone.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.oversized = false;
    }

    /// The next whole message; what does not parse as one is skipped, because it is the rest of a
    /// message whose writer was killed.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Option<Envelope<T>> {
        loop {
            let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') else {
                if self.pending.len() > MAX_MESSAGE_BYTES {
                    self.pending.clear();
                    self.oversized = true;
                }
                return None;
            };
            let rest = self.pending.split_off(end + 1);
            let line = std::mem::replace(&mut self.pending, rest);
            if std::mem::take(&mut self.oversized) || line.len() > MAX_MESSAGE_BYTES {
                continue;
            }
            if let Ok(message) = serde_json::from_slice(&line) {
                return Some(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ready(id: u64) -> Envelope<Request> {
        Envelope {
            id,
            body: Request::Ready,
        }
    }

    #[test]
    fn a_message_is_one_line_between_line_feeds() {
        let bytes = encode(&ready(7));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "\n{\"id\":7,\"body\":{\"request\":\"ready\"}}\n"
        );
    }

    #[test]
    fn the_rest_of_a_killed_writers_message_is_skipped() {
        let mut lines = Lines::default();
        lines.push(b"{\"id\":1,\"body\":{\"reque");
        lines.push(&encode(&ready(2)));
        assert_eq!(lines.next_message(), Some(ready(2)));
        assert_eq!(lines.next_message::<Request>(), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_and_the_next_one_read() {
        let mut lines = Lines::default();
        let flood = vec![b'x'; MAX_MESSAGE_BYTES + 1];
        lines.push(&flood);
        assert_eq!(lines.next_message::<Request>(), None);
        assert!(lines.pending.is_empty());
        lines.push(b"{\"id\":1,\"body\":{\"request\":\"ready\"}}");
        lines.push(&encode(&ready(2)));
        assert_eq!(lines.next_message(), Some(ready(2)));
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut_of_the_stream(ids in prop::collection::vec(any::<u64>(), 1..8), step in 1usize..50) {
            let stream: Vec<u8> = ids.iter().flat_map(|&id| encode(&ready(id))).collect();
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                lines.push(piece);
                while let Some(message) = lines.next_message::<Request>() {
                    found.push(message.id);
                }
            }
            prop_assert_eq!(found, ids);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut lines = Lines::default();
            lines.push(&bytes);
            while lines.next_message::<Reply>().is_some() {}
        }
    }
}
