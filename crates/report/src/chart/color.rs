//! Colours that survive colour blindness and grey printing.

/// A sequence of colours of rising lightness, interpolated between its stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColorMap(&'static [[u8; 3]; 9]);

/// Black over purple and orange to pale yellow, for spectrograms.
pub const MAGMA: ColorMap = ColorMap(&[
    [0, 0, 4],
    [28, 16, 68],
    [79, 18, 123],
    [129, 37, 129],
    [181, 54, 122],
    [229, 80, 100],
    [251, 135, 97],
    [254, 194, 135],
    [252, 253, 191],
]);

/// Purple over green to yellow, for scores on a map.
pub const VIRIDIS: ColorMap = ColorMap(&[
    [68, 1, 84],
    [71, 45, 123],
    [59, 82, 139],
    [44, 114, 142],
    [33, 145, 140],
    [40, 174, 128],
    [94, 201, 98],
    [173, 220, 48],
    [253, 231, 37],
]);

impl ColorMap {
    /// The colour at a place in 0..=1; places outside have the end's colour.
    pub fn at(self, place: f32) -> [u8; 3] {
        let last = self.0.len() - 1;
        let scaled = place.clamp(0.0, 1.0) * last as f32;
        let below = (scaled as usize).min(last - 1);
        let share = scaled - below as f32;
        [0, 1, 2].map(|channel| {
            let [from, to] = [below, below + 1].map(|stop| f32::from(self.0[stop][channel]));
            (from + share * (to - from)).round() as u8
        })
    }

    /// 256 colours, evenly spaced.
    pub(crate) fn palette(self) -> Vec<u8> {
        (0..=255_u8).flat_map(|level| self.at(f32::from(level) / 255.0)).collect()
    }
}

/// Colours of groups on light paper: Okabe and Ito's, without black and with grey for the unknown.
pub(crate) const GROUPS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#b1568f", "#c98700", "#4a9fd4", "#7a7a7a"];

/// Shades of rising ranks on light paper, as the style has them.
pub(crate) const RANKS: [&str; 5] = ["#c5ced8", "#efb27c", "#dd7430", "#ad3d0c", "#561800"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lightness_rises_along_every_map() {
        for map in [MAGMA, VIRIDIS] {
            let lightness: Vec<f64> = map
                .palette()
                .chunks(3)
                .map(|c| 0.2126 * c[0] as f64 + 0.7152 * c[1] as f64 + 0.0722 * c[2] as f64)
                .collect();
            // Rounding to whole levels moves lightness by up to one.
            assert!(lightness.windows(2).all(|pair| pair[1] > pair[0] - 1.0));
            assert!(lightness[255] - lightness[0] > 150.0);
        }
    }
}
