//! Refuses, at compile time, targets on which the same arithmetic gives other bits. What this can't see: a process that
//! sets flush-to-zero or another rounding mode while it runs.

#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), not(target_feature = "sse2")))]
compile_error!(
    "outside the determinism domain: without SSE2, x86 computes in x87 registers of 80 bits and rounds twice; build for a \
     target with sse2 (i686 or x86_64)"
);

#[cfg(target_arch = "arm")]
compile_error!(
    "outside the determinism domain: 32-bit ARM computes vectors in NEON, which flushes subnormals to zero; build for \
     aarch64"
);

#[cfg(target_arch = "m68k")]
compile_error!(
    "outside the determinism domain: the m68k FPU computes in registers of 80 bits and rounds twice"
);

#[cfg(all(target_arch = "powerpc", target_feature = "spe"))]
compile_error!(
    "outside the determinism domain: the SPE flushes subnormals and saturates instead of overflowing"
);

#[cfg(any(target_arch = "nvptx64", target_arch = "amdgpu"))]
compile_error!(
    "outside the determinism domain: GPU targets contract products and sums, and flush subnormals"
);

#[cfg(not(any(target_pointer_width = "32", target_pointer_width = "64")))]
compile_error!("outside the determinism domain: counts and table sizes need pointers of 32 or 64 bits");
