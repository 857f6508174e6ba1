//! The binary logarithm as this writer has it: the exponent, and for the mantissa a parabola, all in single precision. Its errors are
//! part of what is written, so each operation rounds as it does there.

/// The logarithm of a number above 0, to about two digits behind the point.
pub(super) fn log2(value: f32) -> f32 {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 128;
    // The mantissa, as a number from 1 to 2.
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 127 << 23);
    let slope = -0.344_848_43_f32 * mantissa + 2.024_665_8_f32;
    exponent as f32 + (slope * mantissa - 0.674_877_6_f32)
}
