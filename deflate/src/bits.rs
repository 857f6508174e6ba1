//! Bits into bytes, as RFC 1951 packs them: the first bit is the lowest of the first byte.
//!
//! Codes are written far more often than anything else, so that [`BitWriter::put`] is an addition, a shift and one
//! store of eight bytes, whole or not: what is behind the last whole byte is written over by the next.
//! For that its room is made beforehand, a block at a time.

use std::ops::ControlFlow;

use crate::Take;

/// Bits that wait to be taken as whole bytes.
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// How many of `bytes` are whole and not yet taken.
    whole: usize,
    /// The bits behind the last whole byte, from the lowest; none above `count` is set.
    bits: u64,
    /// How many bits these are: fewer than 8 between two calls of [`BitWriter::put`].
    count: u32,
}

/// The most bits that one [`BitWriter::put`] takes: with 7 that wait, they fill 63 of 64.
pub(crate) const MAX_PUT: u32 = 56;

impl BitWriter {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            whole: 0,
            bits: 0,
            count: 0,
        }
    }

    /// Forgets what was never taken, for another stream.
    pub(crate) fn reset(&mut self) {
        self.whole = 0;
        self.bits = 0;
        self.count = 0;
    }

    /// Makes room for so many more bytes.
    pub(crate) fn room(&mut self, bytes: usize) {
        let needed = self.whole + bytes + size_of::<u64>();
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
    }

    /// Appends the `count` low bits of `bits`, above which none may be set. At most [`MAX_PUT`] of them, into room that was made.
    #[inline(always)]
    pub(crate) fn put(&mut self, bits: u64, count: u32) {
        self.put_all([(bits, count)]);
    }

    /// Appends each of them so.
    #[inline(always)]
    pub(crate) fn put_all(&mut self, each: impl IntoIterator<Item = (u64, u32)>) {
        let bytes = &mut self.bytes[..];
        // In registers: a store of bytes might otherwise change them.
        let (mut whole, mut bits, mut count) = (self.whole, self.bits, self.count);
        for (more, length) in each {
            debug_assert!(length <= MAX_PUT && more >> length == 0);
            bits |= more << count;
            count += length;
            bytes[whole..][..8].copy_from_slice(&bits.to_le_bytes());
            whole += (count / 8) as usize;
            bits >>= count & !7;
            count %= 8;
        }
        (self.whole, self.bits, self.count) = (whole, bits, count);
    }

    /// Fills the last byte with zero bits.
    pub(crate) fn align(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }

    /// Appends whole bytes; the bits before them must be aligned.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0);
        self.room(bytes.len());
        self.bytes[self.whole..][..bytes.len()].copy_from_slice(bytes);
        self.whole += bytes.len();
    }

    /// A stored block's header: the bits of its kind, then its length twice. `length` is at most 65,535.
    pub(crate) fn put_stored_header(&mut self, length: u16, last: bool) {
        self.room(6);
        self.put(u64::from(last), 3);
        self.align();
        self.put(u64::from(length) | u64::from(!length) << 16, 32);
    }

    /// Hands on every whole byte.
    pub(crate) fn hand_on(&mut self, take: Take<'_>) -> ControlFlow<()> {
        let whole = std::mem::take(&mut self.whole);
        take(&self.bytes[..whole])
    }
}
