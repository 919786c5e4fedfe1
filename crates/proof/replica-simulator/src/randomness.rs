//! Where everything in the simulating thread gets its randomness: from the seed.
//!
//! Tokio draws the order in which it wakes who waits for one channel, hash maps their order, hosts their patience. All
//! of that comes down to `getrandom`. The standard library calls it by a weak symbol so that a program may put its own
//! in place ("a weak symbol allows interposition", `std::sys::random::linux`), which this module does. Tokio also counts
//! the runtimes of the process, so a process simulates one seed.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;

thread_local! {
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From here on this thread's randomness follows from `seed`. To be called before anything else in the thread.
pub(crate) fn follow(seed: u64) {
    STATE.set(Some(seed));
}

fn next(state: u64) -> (u64, u64) {
    // SplitMix64 (Steele, Lea and Flood, 2014).
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (state, z ^ (z >> 31))
}

fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    let Some(mut state) = STATE.get() else {
        return File::open("/dev/urandom")?.read_exact(bytes);
    };
    for chunk in bytes.chunks_mut(8) {
        let (after, number) = next(state);
        state = after;
        chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
    }
    STATE.set(Some(state));
    Ok(())
}

/// The C library's function, for the standard library and for every crate in this program.
#[allow(
    unsafe_code,
    reason = "a symbol of the C library is put in place, and fills memory that its caller names"
)]
#[unsafe(no_mangle)]
extern "C" fn getrandom(to: *mut u8, length: usize, _flags: u32) -> isize {
    // The caller owns `length` bytes from `to` on, as getrandom(2) asks of it.
    let bytes = unsafe { std::slice::from_raw_parts_mut(to, length) };
    match fill(bytes) {
        Ok(()) => isize::try_from(length).unwrap_or(isize::MAX),
        Err(_) => -1,
    }
}
