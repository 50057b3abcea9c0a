//! Length-prefixed JSON frames: a big-endian `u32` and that many bytes.
//!
//! The length is checked against the cap before anything is allocated, so that a hostile prefix costs nothing.

use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of the length prefix.
pub const PREFIX: usize = 4;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is above the cap of this place.
    #[error("a frame of {length} bytes is over the cap of {cap}")]
    TooLong {
        /// Announced or encoded length.
        length: usize,
        /// Largest accepted.
        cap: usize,
    },
    /// The bytes end inside of a frame.
    #[error("the frame is cut off")]
    Cut,
    /// The stream ended where a frame had to be.
    #[error("the stream ended before a frame")]
    Missing,
    /// The bytes are not the expected JSON.
    #[error("the frame is not the expected json")]
    Json {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The pipe failed.
    #[error("the pipe failed in the middle of a frame")]
    Io {
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Encodes `value` with its prefix.
///
/// # Errors
/// [`FrameError::TooLong`] over `cap` bytes, [`FrameError::Json`] when the value cannot be JSON.
pub fn encode<T: Serialize>(value: &T, cap: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; PREFIX];
    serde_json::to_writer(&mut frame, value).map_err(|source| FrameError::Json { source })?;
    let length = frame.len() - PREFIX;
    let too_long = FrameError::TooLong { length, cap };
    if length > cap {
        return Err(too_long);
    }
    let prefix = u32::try_from(length).map_err(|_| too_long)?.to_be_bytes();
    frame[..PREFIX].copy_from_slice(&prefix);
    Ok(frame)
}

/// The body length that a prefix announces.
///
/// # Errors
/// [`FrameError::TooLong`] over `cap` bytes.
pub fn length(prefix: [u8; PREFIX], cap: usize) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > cap { Err(FrameError::TooLong { length, cap }) } else { Ok(length) }
}

/// Reads a body, without its prefix.
///
/// # Errors
/// [`FrameError::Json`] for anything but one JSON value of that shape.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|source| FrameError::Json { source })
}

/// Reads one frame, or `None` where the stream ends cleanly between frames. The caller sets the deadline.
///
/// # Errors
/// Any [`FrameError`]; the stream is then out of step and must be dropped.
pub async fn read_frame<T: DeserializeOwned>(
    io: &mut (impl AsyncRead + Unpin),
    cap: usize,
) -> Result<Option<T>, FrameError> {
    let mut prefix = [0; PREFIX];
    let first = io.read(&mut prefix).await.map_err(|source| FrameError::Io { source })?;
    if first == 0 {
        return Ok(None);
    }
    fill(io, &mut prefix[first..]).await?;
    let mut body = vec![0; length(prefix, cap)?];
    fill(io, &mut body).await?;
    decode(&body).map(Some)
}

/// Writes one frame. The caller sets the deadline.
///
/// # Errors
/// Any [`FrameError`]; nothing was written when it is about length or JSON.
pub async fn write_frame<T: Serialize>(
    io: &mut (impl AsyncWrite + Unpin),
    value: &T,
    cap: usize,
) -> Result<(), FrameError> {
    let frame = encode(value, cap)?;
    io.write_all(&frame).await.map_err(|source| FrameError::Io { source })?;
    io.flush().await.map_err(|source| FrameError::Io { source })
}

async fn fill(io: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> Result<(), FrameError> {
    match io.read_exact(buffer).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Cut),
        Err(source) => Err(FrameError::Io { source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::wire::{MAX_HEADER, Open};

    fn read(mut bytes: &[u8], cap: usize) -> (Result<Option<Open>, FrameError>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let before = bytes.len();
        let result = runtime.block_on(read_frame(&mut bytes, cap));
        (result, before - bytes.len())
    }

    #[test]
    fn a_frame_comes_back_and_the_next_bytes_stay() {
        let mut bytes = encode(&Open::Stdout { offset: u64::MAX }, MAX_HEADER).unwrap();
        let whole = bytes.len();
        bytes.extend(b"payload");
        let (open, used) = read(&bytes, MAX_HEADER);
        assert_eq!(open.unwrap(), Some(Open::Stdout { offset: u64::MAX }));
        assert_eq!(used, whole);
    }

    #[test]
    fn the_end_between_frames_is_not_an_error_and_within_one_is() {
        assert!(matches!(read(b"", 9).0, Ok(None)));
        let bytes = encode(&Open::Proxy, MAX_HEADER).unwrap();
        for cut in 1..bytes.len() {
            assert!(matches!(read(&bytes[..cut], MAX_HEADER).0, Err(FrameError::Cut)), "{cut}");
        }
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_it_is_read() {
        let mut bytes = u32::MAX.to_be_bytes().to_vec();
        bytes.extend([b' '; 64]);
        let (result, used) = read(&bytes, MAX_HEADER);
        assert!(matches!(result, Err(FrameError::TooLong { cap: MAX_HEADER, .. })));
        assert_eq!(used, PREFIX);
        assert!(matches!(encode(&"x".repeat(20), 21), Err(FrameError::TooLong { length: 22, cap: 21 })));
        assert!(encode(&"x".repeat(20), 22).is_ok());
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_never_read_past_the_cap(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (result, used) = read(&bytes, 64);
            prop_assert!(used <= PREFIX + 64);
            if let Ok(Some(open)) = result {
                // Whatever was accepted means the same when it is written again.
                let again = encode(&open, MAX_HEADER).unwrap();
                prop_assert_eq!(read(&again, MAX_HEADER).0.unwrap(), Some(open));
            }
        }

        #[test]
        fn damaged_frames_never_panic(at in 0usize..40, byte: u8) {
            let mut bytes = encode(&Open::Stdin { offset: 77 }, MAX_HEADER).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = read(&bytes, MAX_HEADER);
        }
    }
}
