//! [`Writer::GoChains`](crate::Writer::GoChains).

use std::ops::ControlFlow;

use crate::Take;
use crate::bits::BitWriter;

pub(crate) struct Chains {
    bits: BitWriter,
}

impl Chains {
    pub(crate) fn new() -> Self {
        Self {
            bits: BitWriter::new(),
        }
    }

    pub(crate) fn write(&mut self, content: &[u8], take: Take<'_>) -> ControlFlow<()> {
        if !content.is_empty() {
            return ControlFlow::Break(());
        }
        self.bits.reset();
        self.bits.put_stored_header(0, true);
        self.bits.hand_on(take)
    }
}
