#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modferry_fuzz::snapshot(data));
