//! Reads a request's body within its bounds: bytes of one, bytes of all, time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use quorate_wire::error::FrontDoorError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::front_door::answer;
use crate::front_door::config::FrontDoorConfig;

/// A body and the room that it takes among all bodies; the room is free again when this is dropped.
pub(crate) struct HeldBody {
    pub(crate) bytes: Bytes,
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

/// Reads the whole body.
///
/// # Errors
/// 413 when it is too large, 408 when it is too slow, 503 when there is no room, 400 when it breaks off.
pub(crate) async fn read(
    mut body: Incoming,
    config: &FrontDoorConfig,
    room: &Arc<Semaphore>,
) -> Result<HeldBody, FrontDoorError> {
    if body.is_end_stream() {
        return Ok(HeldBody {
            bytes: Bytes::new(),
            _room: None,
        });
    }
    let deadline = Instant::now() + config.body_timeout();
    // A chunked body does not say its length: it takes the room of the largest.
    let announced = body.size_hint().upper();
    let length = u32::try_from(announced.unwrap_or(u64::from(config.body_bytes_max)))
        .ok()
        .filter(|length| *length <= config.body_bytes_max)
        .ok_or_else(|| answer::too_large(config.body_bytes_max))?;
    let held = timeout_at(deadline, Arc::clone(room).acquire_many_owned(length));
    let held = held
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or_else(answer::overloaded)?;

    let mut bytes = BytesMut::new();
    loop {
        let frame = timeout_at(deadline, body.frame());
        match frame.await.map_err(|_| answer::too_slow("body"))? {
            None => break,
            Some(Err(_)) => return Err(answer::broken_body()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    if bytes.len() + data.len() > length as usize {
                        return Err(answer::too_large(config.body_bytes_max));
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
    }
    Ok(HeldBody {
        bytes: bytes.freeze(),
        _room: Some(held),
    })
}
