//! The fingerprints of known recordings within a model file: two arrays, which earlier files lack.

use offkey_signal::SparseFingerprint;
use safetensors::Dtype;

use crate::{MonitorCard, MonitorError, RecordingCard, file_error::Unusable, parts::Parts};

/// Of each recording how many frames are kept, and one of how many; 0 and 0: it has no fingerprint.
const FRAMES: &str = "sound frames";
/// The bits of all those frames, one recording after the other.
const BITS: &str = "sound bits";

/// The arrays to write: name, type, bytes and shape. None where no recording has a fingerprint.
pub(crate) fn arrays(recordings: &[RecordingCard]) -> Vec<(String, Dtype, Vec<u8>, Vec<usize>)> {
    let prints = || recordings.iter().map(|recording| recording.sound.as_ref());
    if prints().all(|print| print.is_none()) {
        return Vec::new();
    }
    let frames = prints().flat_map(|print| match print {
        // At most 16384.
        Some(print) => [print.bits().len() as u32, print.stride()],
        None => [0, 0],
    });
    let frames: Vec<u8> = frames.flat_map(u32::to_le_bytes).collect();
    let bits = prints().flatten().flat_map(SparseFingerprint::bits);
    let bits: Vec<u8> = bits.flat_map(|bits| bits.to_le_bytes()).collect();
    let total = bits.len() / 4;
    vec![
        (FRAMES.to_owned(), Dtype::U32, frames, vec![recordings.len(), 2]),
        (BITS.to_owned(), Dtype::U32, bits, vec![total]),
    ]
}

/// Gives the recordings of a card their fingerprints, where the file has them.
pub(crate) fn restore(parts: &Parts<'_>, card: &mut MonitorCard) -> Result<(), MonitorError> {
    let (frames, bits) = match (parts.counts(FRAMES), parts.counts(BITS)) {
        (None, None) => return Ok(()),
        (Some((shape, frames)), Some((_, bits))) if *shape == [card.recordings.len(), 2] => {
            (frames, bits)
        }
        _ => return Err(parts.refuse(Unusable::Values)),
    };
    let refuse = || parts.refuse(Unusable::Values);
    let mut rest = bits.as_slice();
    for (recording, frames) in card.recordings.iter_mut().zip(frames.as_chunks::<2>().0) {
        let [count, stride] = *frames;
        if (count, stride) == (0, 0) {
            continue;
        }
        let (own, others) = rest.split_at_checked(count as usize).ok_or_else(refuse)?;
        let print = SparseFingerprint::restored(own.to_vec(), stride, card.windows.rate_hz);
        recording.sound = Some(print.ok_or_else(refuse)?);
        rest = others;
    }
    if rest.is_empty() { Ok(()) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs, path::Path};

    use safetensors::{SafeTensors, tensor::TensorView};

    use super::*;

    fn card() -> MonitorCard {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/monitor/form_2.offkey");
        let bytes = fs::read(path).expect("it is there");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        let metadata = header.metadata().clone().expect("a description");
        serde_json::from_str(&metadata["card"]).expect("a card")
    }

    /// Of a card what restoring makes of two arrays of whole numbers, of these shapes.
    fn restored(
        (frames, shape): (&[u32], [usize; 2]),
        bits: Option<&[u32]>,
    ) -> Result<MonitorCard, MonitorError> {
        let bytes = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let (frames, of_bits): (Vec<u8>, Vec<u8>) = (bytes(frames), bytes(bits.unwrap_or(&[])));
        let view =
            |shape: Vec<usize>, data| TensorView::new(Dtype::U32, shape, data).expect("fits");
        let mut views = [(FRAMES.to_owned(), view(shape.to_vec(), &frames))].to_vec();
        if let Some(bits) = bits {
            views.push((BITS.to_owned(), view(vec![bits.len()], &of_bits)));
        }
        let views = views.into_iter().collect();
        let parts = Parts { path: "forged".into(), metadata: HashMap::new(), views };
        let mut card = card();
        restore(&parts, &mut card).map(|()| card)
    }

    #[test]
    fn forged_fingerprints_are_refused_and_true_ones_are_read_as_they_were_written() {
        let all = card().recordings.len();
        let mut frames = vec![0_u32; 2 * all];
        frames[..4].copy_from_slice(&[3, 8, 0, 2]);
        frames[2 * all - 2..].copy_from_slice(&[2, 1024]);
        let bits = [1, 2, 3, 4, u32::MAX];
        let read = restored((&frames, [all, 2]), Some(&bits)).expect("sound");
        let prints: Vec<_> = read.recordings.iter().map(|one| one.sound.as_ref()).collect();
        assert_eq!(prints[0].map(SparseFingerprint::bits), Some(&bits[..3]));
        assert!(prints[1].is_some_and(|print| print.bits().is_empty()) && prints[2].is_none());
        assert_eq!(prints[all - 1].map(SparseFingerprint::bits), Some(&bits[3..]));
        let written = arrays(&read.recordings);
        let expected: Vec<u8> = frames.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!((&written[0].2, &written[0].3), (&expected, &vec![all, 2]));
        assert_eq!(written[1].3, [bits.len()]);
        assert!(arrays(&card().recordings).is_empty());

        assert!(restored((&frames, [all, 2]), None).is_err());
        assert!(restored((&frames, [2, all]), Some(&bits)).is_err());
        assert!(restored((&frames, [all, 2]), Some(&bits[1..])).is_err());
        assert!(restored((&frames, [all, 2]), Some(&[0; 6])).is_err());
        for forged in [[u32::MAX, 8], [3, 0], [3, 7], [0, u32::MAX], [u32::MAX, u32::MAX]] {
            let mut frames = frames.clone();
            frames[..2].copy_from_slice(&forged);
            assert!(restored((&frames, [all, 2]), Some(&bits)).is_err(), "{forged:?}");
        }
        let many = vec![7; 20_000];
        let mut frames = vec![0_u32; 2 * all];
        frames[..2].copy_from_slice(&[20_000, 8]);
        assert!(restored((&frames, [all, 2]), Some(&many)).is_err(), "more than any sound has");
    }
}
