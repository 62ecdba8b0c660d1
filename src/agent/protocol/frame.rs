//! Frames: a 32-bit big-endian length and that many bytes of JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MAX_FRAME_BYTES;

/// Why no message could be read. After one of these the two sides no longer agree where a frame begins.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Larger than either side accepts.
    #[error("a frame of {bytes} bytes is larger than the {MAX_FRAME_BYTES} that are accepted")]
    TooLarge {
        /// What its length says.
        bytes: u32,
    },
    /// The input ended inside a frame.
    #[error("the input ended inside a frame, after {bytes} of its bytes")]
    Truncated {
        /// Bytes that did arrive, the length's own four among them.
        bytes: usize,
    },
    /// Not a message of this protocol.
    #[error("a frame holds no message of this protocol")]
    Malformed(#[source] serde_json::Error),
    /// The stream itself failed.
    #[error("the connection to the other side failed")]
    Io(#[from] io::Error),
}

/// The next message; `None` at a clean end of input.
///
/// # Errors
/// See [`FrameError`].
pub fn read<T: DeserializeOwned>(input: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut head = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok(None);
    }
    let length = <[u8; 4]>::try_from(head.as_slice())
        .map_err(|_| FrameError::Truncated { bytes: head.len() })?;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge { bytes: length });
    }
    // Grows as bytes arrive: a length alone must not cost memory.
    let mut body = Vec::new();
    input.by_ref().take(length.into()).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(FrameError::Truncated {
            bytes: 4 + body.len(),
        });
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(FrameError::Malformed)
}

/// Writes one message and flushes it.
///
/// # Errors
/// Whatever the stream says; `InvalidData` when the message is larger than the other side accepts.
pub fn write<T: Serialize>(output: &mut impl Write, message: &T) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|&length| length <= MAX_FRAME_BYTES)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "a message of {} bytes is too large to send",
                    frame.len() - 4
                ),
            )
        })?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    output.write_all(&frame)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(body);
        bytes
    }

    #[test]
    fn messages_follow_each_other_until_a_clean_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"one").unwrap();
        write(&mut bytes, &"two").unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read(&mut input).unwrap(), Some("one".to_owned()));
        assert_eq!(read(&mut input).unwrap(), Some("two".to_owned()));
        assert_eq!(read::<String>(&mut input).unwrap(), None);
    }

    #[test]
    fn a_frame_cut_off_anywhere_is_truncated() {
        let whole = framed(b"\"text\"");
        for length in 1..whole.len() {
            let error = read::<String>(&mut &whole[..length]).unwrap_err();
            assert!(
                matches!(error, FrameError::Truncated { bytes } if bytes == length),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_read() {
        let error = read::<String>(&mut [0xff, 0xff, 0xff, 0xff, 1].as_slice()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a frame of 4294967295 bytes is larger than the 67108864 that are accepted"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in any::<Vec<u8>>()) {
            let _ = read::<crate::agent::protocol::Request>(&mut bytes.as_slice());
            let _ = read::<crate::agent::protocol::Request>(&mut framed(&bytes).as_slice());
        }
    }
}
