//! Rate conversion by rational ratios, in one piece or as the samples arrive.

use rubato::{
    Fft, FixedSync, Resampler as _, WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};

use crate::FeatureError;

/// Highest rate converted. A transform covers at least one period of both rates, so an absurd
/// rate in a header would otherwise buy an absurd amount of memory.
pub(crate) const MAX_RATE_HZ: u32 = 1_000_000;

/// Samples of the lower rate in one transform; also the length of the low-pass filter. 1024
/// keeps the pass band (within 0.1 dB) up to 97 % of the lower Nyquist frequency.
const BLOCK: usize = 1024;

/// Converts a stream of samples from one rate to another.
///
/// The delay of the low-pass filter is taken out: output sample i lies at time `i / to_hz`. The
/// pieces that the samples arrive in change nothing, to the bit.
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    stage: Option<Stage>,
    /// Input samples seen, counted from the start of the recording.
    taken: u64,
    /// Output samples given, counted likewise.
    given: u64,
}

struct Stage {
    fft: Fft<f32>,
    block_in: usize,
    block: Vec<f32>,
    result: Vec<f32>,
    pending: Vec<f32>,
    /// Output samples still to be dropped: the filter's delay, and what lies before the start.
    skip: usize,
}

/// Length after conversion: `samples * to_hz / from_hz`, rounded to the nearest (halves up).
pub fn resampled_len(samples: u64, from_hz: u32, to_hz: u32) -> u64 {
    let from = u128::from(from_hz.max(1));
    let scaled = u128::from(samples) * u128::from(to_hz);
    u64::try_from((2 * scaled + from) / (2 * from)).unwrap_or(u64::MAX)
}

/// Converts a whole clip.
///
/// # Errors
/// [`FeatureError::Setting`] for rates of zero or above 1 MHz.
///
/// # Source
/// Blackman-Harris-squared windowed sinc by overlap-add (rubato). Golden:
/// `testdata/golden/features.json` (scipy's Fourier resampling of band-limited signals).
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>, FeatureError> {
    let mut resampler = Resampler::new(from_hz, to_hz)?;
    let mut out = Vec::new();
    resampler.push(samples, &mut out);
    resampler.finish(&mut out);
    Ok(out)
}

impl Resampler {
    /// A converter at the start of a recording.
    ///
    /// # Errors
    /// [`FeatureError::Setting`] for rates of zero or above 1 MHz.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, FeatureError> {
        Ok(Self::starting_at(0, from_hz, to_hz)?.0)
    }

    /// A converter whose first output is sample `start` of the converted recording, and the input
    /// sample to feed it from. It gives the same bits as one that began at the beginning.
    ///
    /// # Errors
    /// As [`Resampler::new`].
    pub fn starting_at(start: u64, from_hz: u32, to_hz: u32) -> Result<(Self, u64), FeatureError> {
        check_rate("from_hz", from_hz)?;
        check_rate("to_hz", to_hz)?;
        if from_hz == to_hz {
            return Ok((Self { from_hz, to_hz, stage: None, taken: start, given: start }, start));
        }
        let mut stage = Stage::new(from_hz, to_hz);
        let (block_in, block_out) = (stage.block_in as u64, stage.result.len() as u64);
        // A block's output depends on the block before it and no other.
        let first_block = ((start + stage.skip as u64) / block_out).saturating_sub(1);
        stage.skip = (start + stage.skip as u64 - first_block * block_out) as usize;
        let taken = first_block * block_in;
        Ok((Self { from_hz, to_hz, stage: Some(stage), taken, given: start }, taken))
    }

    /// Takes the next samples and appends the converted ones that they complete.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        let before = out.len();
        match &mut self.stage {
            Some(stage) => stage.push(samples, out),
            None => out.extend_from_slice(samples),
        }
        self.given += (out.len() - before) as u64;
    }

    /// Appends what is left when no more samples come. The total is [`resampled_len`].
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let Some(stage) = &mut self.stage else { return };
        let total = resampled_len(self.taken, self.from_hz, self.to_hz);
        let silence = vec![0.0; stage.block_in];
        while self.given < total {
            let before = out.len();
            stage.push(&silence, out);
            self.given += (out.len() - before) as u64;
        }
        out.truncate(out.len().saturating_sub(self.given.saturating_sub(total) as usize));
        self.given = self.given.min(total);
    }
}

impl Stage {
    fn new(from_hz: u32, to_hz: u32) -> Self {
        let (from, to) = (from_hz as usize, to_hz as usize);
        let period = from / greatest_common_divisor(from, to);
        // An even number of periods puts the centre of the filter on a sample of both rates, so
        // that its delay is a whole number of either.
        let periods = (BLOCK * from.div_ceil(to.min(from))).div_ceil(period).next_multiple_of(2);
        let window = WindowFunction::BlackmanHarris2;
        let fft = Fft::new_custom(from, to, periods * period, 1, 1, window, FixedSync::Both)
            .expect("rates and block are above zero");
        let (block_in, block_out) = (fft.fft_size_in(), fft.fft_size_out());
        let skip = fft.output_delay();
        let (block, result) = (vec![0.0; block_in], vec![0.0; block_out]);
        Self { fft, block_in, block, result, pending: Vec::new(), skip }
    }

    fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.pending.extend_from_slice(samples);
        let ready = self.pending.len() / self.block_in * self.block_in;
        for block in self.pending[..ready].chunks_exact(self.block_in) {
            self.block.copy_from_slice(block);
            convert(&mut self.fft, &self.block, &mut self.result);
            let skipped = self.skip.min(self.result.len());
            self.skip -= skipped;
            out.extend_from_slice(&self.result[skipped..]);
        }
        self.pending.drain(..ready);
    }
}

fn convert(fft: &mut Fft<f32>, block: &[f32], result: &mut [f32]) {
    let frames_out = result.len();
    let input = InterleavedSlice::new(block, 1, block.len()).expect("one channel fills the slice");
    let mut output =
        InterleavedSlice::new_mut(result, 1, frames_out).expect("one channel fills the slice");
    fft.process_into_buffer(&input, &mut output, None).expect("both buffers are one block long");
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn check_rate(name: &'static str, rate_hz: u32) -> Result<(), FeatureError> {
    if (1..=MAX_RATE_HZ).contains(&rate_hz) {
        return Ok(());
    }
    Err(FeatureError::Setting {
        name,
        found: format!("{rate_hz} Hz"),
        expected: "between 1 Hz and 1 MHz",
    })
}
