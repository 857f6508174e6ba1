//! Memory that is freed goes back to the system.
//!
//! glibc asks the system for each large buffer by itself and gives it back at once, but it raises the size that counts as
//! large with every such buffer that is freed, up to 32 MiB. From then on what is freed stays in the heaps of the
//! threads that used it. A command that works in phases, each with buffers of tens of megabytes, would so hold the buffers of
//! all phases: exporting 423 modules packed peaked at 292 MiB, and at 190 MiB with a size that stays, in the same
//! processor time.

/// From so many bytes on, a buffer is given back as soon as it is freed.
const LARGE: i32 = 1 << 20;

/// Has large buffers given back when they are freed. To be called first of all in `main`.
///
/// Does nothing with other C libraries than glibc. That it fails is no error: the memory is only kept longer.
pub fn give_back_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes two numbers and keeps neither pointer nor reference; it changes the allocator's own parameters
    // under the allocator's own lock, and memory that was allocated before stays valid.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}
