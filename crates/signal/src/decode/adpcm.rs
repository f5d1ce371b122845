//! Four bits per sample, in blocks that decode by themselves: the ADPCM of IMA and of Microsoft.

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adpcm {
    Ima,
    Microsoft,
}

/// Bytes in front of a block's differences, per channel.
const IMA_HEAD: usize = 4;
/// See [`IMA_HEAD`].
const MICROSOFT_HEAD: usize = 7;

/// Steps of IMA's coder, from its recommended practices of 1992.
const STEPS: [i32; 89] = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66,
    73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449,
    494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272,
    2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493,
    10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
];
/// By how many steps a difference moves the next one.
const MOVES: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];
/// Weights of the last two samples, in 256ths, from Microsoft's description of the form.
const WEIGHTS: [(i32, i32); 7] =
    [(256, 0), (512, -256), (0, 0), (192, 64), (240, 0), (460, -208), (392, -232)];
/// What a difference makes of the scale of the next one, in 256ths.
const SCALES: [i32; 16] =
    [230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307, 230, 230, 230];
/// The finest scale, and the coarsest whose product with [`SCALES`] has room.
const SCALE_RANGE: (i32, i32) = (16, i32::MAX / 768);

impl Adpcm {
    /// Frames that a block of so many bytes has room for; `None` where it holds not even its head.
    pub(super) fn frames(self, channels: u16, block_bytes: usize) -> Option<usize> {
        let channels = usize::from(channels);
        match self {
            Self::Ima if channels > 0 => {
                // Eight differences of a channel are followed by eight of the next.
                let groups = block_bytes.checked_sub(IMA_HEAD * channels)? / (4 * channels);
                Some(1 + 8 * groups)
            }
            Self::Microsoft if (1..=2).contains(&channels) => {
                let bytes = block_bytes.checked_sub(MICROSOFT_HEAD * channels)?;
                Some(2 + 2 * bytes / channels)
            }
            Self::Ima | Self::Microsoft => None,
        }
    }

    /// Appends the first `frames` frames of a whole block, interleaved, full scale at 1.
    ///
    /// # Errors
    /// What is impossible in the block's head.
    pub(super) fn append(
        self,
        channels: u16,
        frames: usize,
        block: &[u8],
        out: &mut Vec<f32>,
    ) -> Result<(), String> {
        let channels = usize::from(channels);
        let begin = out.len();
        match self {
            Self::Ima => ima(channels, block, out)?,
            Self::Microsoft => microsoft(channels, block, out)?,
        }
        out.truncate(begin + frames * channels);
        Ok(())
    }
}

fn ima(channels: usize, block: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
    let (heads, groups) = block.split_at(IMA_HEAD * channels);
    let mut coders = Vec::with_capacity(channels);
    for head in heads.as_chunks::<IMA_HEAD>().0 {
        let index = head[2];
        if usize::from(index) >= STEPS.len() {
            return Err(format!("a block of ADPCM that begins with step {index} of 88"));
        }
        let sample = i32::from(i16::from_le_bytes([head[0], head[1]]));
        out.push(scaled(sample));
        coders.push((sample, i32::from(index)));
    }
    for group in groups.chunks_exact(4 * channels) {
        let begin = out.len();
        out.resize(begin + 8 * channels, 0.0);
        for (channel, bytes) in group.as_chunks::<4>().0.iter().enumerate() {
            let (sample, index) = &mut coders[channel];
            let codes = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
            for (n, code) in codes.enumerate() {
                let step = STEPS[*index as usize];
                let mut change = step >> 3;
                for (bit, part) in [(4, step), (2, step >> 1), (1, step >> 2)] {
                    change += if code & bit == 0 { 0 } else { part };
                }
                let change = if code & 8 == 0 { change } else { -change };
                *sample = (*sample + change).clamp(i16::MIN.into(), i16::MAX.into());
                *index = (*index + MOVES[usize::from(code & 7)]).clamp(0, 88);
                out[begin + n * channels + channel] = scaled(*sample);
            }
        }
    }
    Ok(())
}

fn microsoft(channels: usize, block: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
    /// The state of a channel: weights, scale, the last sample and the one before.
    struct Coder {
        weights: (i32, i32),
        scale: i32,
        last: i32,
        before: i32,
    }
    let (head, codes) = block.split_at(MICROSOFT_HEAD * channels);
    let (choices, words) = head.split_at(channels);
    let word = |at: usize| i32::from(i16::from_le_bytes([words[2 * at], words[2 * at + 1]]));
    let mut coders = Vec::with_capacity(channels);
    for (channel, &choice) in choices.iter().enumerate() {
        let Some(&weights) = WEIGHTS.get(usize::from(choice)) else {
            return Err(format!("a block of ADPCM that begins with predictor {choice} of 6"));
        };
        let (scale, last) = (word(channel), word(channels + channel));
        let before = word(2 * channels + channel);
        coders.push(Coder { weights, scale: scale.max(SCALE_RANGE.0), last, before });
    }
    out.extend(coders.iter().map(|coder| scaled(coder.before)));
    out.extend(coders.iter().map(|coder| scaled(coder.last)));
    let codes = codes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (n, code) in codes.enumerate() {
        let coder = &mut coders[n % channels];
        let expected = (coder.last * coder.weights.0 + coder.before * coder.weights.1) / 256;
        let signed = i32::from(code) - if code & 8 == 0 { 0 } else { 16 };
        let sample = expected.saturating_add(signed * coder.scale);
        let sample = sample.clamp(i16::MIN.into(), i16::MAX.into());
        (coder.before, coder.last) = (coder.last, sample);
        let scale = SCALES[usize::from(code)] * coder.scale / 256;
        coder.scale = scale.clamp(SCALE_RANGE.0, SCALE_RANGE.1);
        out.push(scaled(sample));
    }
    Ok(())
}

fn scaled(sample: i32) -> f32 {
    sample as f32 / 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_as_many_frames_as_it_has_room_for() {
        for channels in 1..=2 {
            for coding in [Adpcm::Ima, Adpcm::Microsoft] {
                for bytes in 0..100 {
                    let Some(frames) = coding.frames(channels, bytes) else { continue };
                    let mut out = Vec::new();
                    coding.append(channels, frames, &vec![0; bytes], &mut out).expect("a block");
                    assert_eq!(out.len(), frames * usize::from(channels), "{coding:?} {bytes}");
                }
            }
        }
        assert_eq!(Adpcm::Ima.frames(1, 256), Some(505));
        assert_eq!(Adpcm::Microsoft.frames(1, 256), Some(500));
        assert_eq!(Adpcm::Microsoft.frames(2, 13), None);
        assert_eq!(Adpcm::Ima.frames(0, 256), None);
    }

    #[test]
    fn the_loudest_blocks_stay_within_full_scale_and_impossible_heads_are_said() {
        for coding in [Adpcm::Ima, Adpcm::Microsoft] {
            for code in 0..=255 {
                let mut block = vec![code; 300];
                block[..7].copy_from_slice(&[1, 0xFF, 0x58, 0xFF, 0x7F, 0xFF, 0x7F]);
                let mut out = Vec::new();
                coding.append(1, 400, &block, &mut out).expect("a possible head");
                assert!(out.iter().all(|sample| sample.abs() <= 1.0), "{coding:?} {code}");
            }
            let told = coding.append(1, 9, &[0xFF; 64], &mut Vec::new());
            assert!(told.expect_err("an impossible head").contains("255"));
        }
    }
}
