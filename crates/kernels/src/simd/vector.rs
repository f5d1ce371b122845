//! Sixteen lanes in memory, and the arithmetic on them that every instruction set offers.

/// Lanes of one vector in every instruction set.
pub const LANES: usize = 16;

/// One vector in memory: sixteen floats on a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Lane(pub [f32; LANES]);

impl Lane {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);
}

impl Default for Lane {
    fn default() -> Self {
        Self::ZERO
    }
}

/// The floats of a row of vectors, in order.
pub fn floats(lanes: &[Lane]) -> &[f32] {
    // SAFETY: `Lane` is `repr(C)` around sixteen floats and exactly 64 bytes long, so `n` of them
    // are `16 n` initialised floats without padding; the alignment of f32 is smaller.
    #[expect(unsafe_code, reason = "the standard library has no safe view of a repr(C) slice")]
    unsafe {
        std::slice::from_raw_parts(lanes.as_ptr().cast::<f32>(), lanes.len() * LANES)
    }
}

/// The floats of a row of vectors, in order, to write.
pub fn floats_mut(lanes: &mut [Lane]) -> &mut [f32] {
    // SAFETY: as in `floats`; the borrow is exclusive and any bit pattern is a valid float.
    #[expect(unsafe_code, reason = "the standard library has no safe view of a repr(C) slice")]
    unsafe {
        std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast::<f32>(), lanes.len() * LANES)
    }
}

/// Sixteen-lane arithmetic. A value of an implementing type proves that the processor has it.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen floats in registers.
    type V: Copy;

    /// Vectors that can be held in registers at once.
    const REGISTERS: usize;

    /// The same number in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// Reads sixteen floats.
    fn load(self, from: &[f32; LANES]) -> Self::V;
    /// Writes sixteen floats.
    fn store(self, value: Self::V, to: &mut [f32; LANES]);
    /// Reads sixteen floats from any address.
    ///
    /// # Safety
    /// `from` must be valid for reading sixteen floats; it need not be aligned to a vector.
    #[expect(unsafe_code, reason = "inner loops index through pointers checked once a row")]
    unsafe fn load_at(self, from: *const f32) -> Self::V;
    /// Writes sixteen floats to any address.
    ///
    /// # Safety
    /// `to` must be valid for writing sixteen floats; it need not be aligned to a vector.
    #[expect(unsafe_code, reason = "inner loops index through pointers checked once a row")]
    unsafe fn store_at(self, value: Self::V, to: *mut f32);
    /// Runs a kernel as a function of its own, compiled once for this instruction set, where
    /// inlining it at every call would only make the program larger.
    fn outlined<K: Kernel>(self, kernel: K) -> K::Output;
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of `a` and `b`; `b` where they are equal or one is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where `a > b`, else `no`.
    fn select_greater(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The sum of all lanes, in one fixed order for every instruction set.
    fn sum(self, a: Self::V) -> f32;

    /// Zero in every lane.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }
    /// `value` where `gate > 0`, else zero.
    #[inline(always)]
    fn gate(self, gate: Self::V, value: Self::V) -> Self::V {
        self.select_greater(gate, self.zero(), value, self.zero())
    }
    /// `max(a, 0)`
    #[inline(always)]
    fn relu(self, a: Self::V) -> Self::V {
        self.max(a, self.zero())
    }
}

/// Work written once for every instruction set.
pub trait Kernel {
    /// What the work gives back.
    type Output;
    /// Runs with the given instruction set; must be `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// The sum of sixteen lanes as a fixed tree: halves, quarters, eighths, pairs.
#[inline(always)]
pub(super) fn tree_sum(lanes: [f32; LANES]) -> f32 {
    let eight: [f32; 8] = [
        lanes[0] + lanes[8],
        lanes[1] + lanes[9],
        lanes[2] + lanes[10],
        lanes[3] + lanes[11],
        lanes[4] + lanes[12],
        lanes[5] + lanes[13],
        lanes[6] + lanes[14],
        lanes[7] + lanes[15],
    ];
    let four = [eight[0] + eight[4], eight[1] + eight[5], eight[2] + eight[6], eight[3] + eight[7]];
    (four[0] + four[2]) + (four[1] + four[3])
}
