//! Sound as a WAV file in memory.

/// A mono WAV file of 16 bits, at most `most_s` long, its peak raised or lowered to 0.9 of full
/// scale so that quiet recordings can be heard. Silence stays silent.
pub fn wav(samples: &[f32], rate_hz: u32, most_s: f64) -> Vec<u8> {
    let most = (most_s.max(0.0) * f64::from(rate_hz)) as usize;
    let samples = &samples[..samples.len().min(most)];
    let peak = samples.iter().filter(|s| s.is_finite()).fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let gain = if peak > 0.0 { 0.9 / peak } else { 0.0 };
    let data_bytes = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + data_bytes as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data_bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    let (pcm, mono, bytes_each, bits) = (1_u16, 1_u16, 2_u16, 16_u16);
    file.extend_from_slice(&pcm.to_le_bytes());
    file.extend_from_slice(&mono.to_le_bytes());
    file.extend_from_slice(&rate_hz.to_le_bytes());
    file.extend_from_slice(&(rate_hz * u32::from(bytes_each)).to_le_bytes());
    file.extend_from_slice(&bytes_each.to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data_bytes.to_le_bytes());
    for sample in samples {
        let level = if sample.is_finite() { sample * gain * f32::from(i16::MAX) } else { 0.0 };
        file.extend_from_slice(&(level as i16).to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_cut_scaled_and_says_its_length() {
        let file = wav(&[0.0, 0.25, -0.5, 0.1], 2, 1.5);
        assert_eq!(file.len(), 44 + 6);
        assert_eq!(u32::from_le_bytes(file[40..44].try_into().expect("four bytes")), 6);
        assert_eq!(i16::from_le_bytes(file[48..50].try_into().expect("two bytes")), -29490);
        assert_eq!(wav(&[], 16_000, 10.0).len(), 44);
    }
}
