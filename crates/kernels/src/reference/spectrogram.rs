//! The spectrogram branch layer by layer on a [`Tape`], as the method describes it.

use crate::reference::tape::{Image, Node, Tape};
use crate::spectrogram::{BatchStatistics, SpectrogramConfig};

/// The whole branch on a tape; the last activation is `[clips, channels, 1, bins]`.
///
/// `params` are in the order of [`SpectrogramPlan::parameters`](crate::spectrogram::SpectrogramPlan::parameters),
/// `running` statistics, where given, replace the batch's. Any number of channels is fine.
pub(crate) fn branch(
    config: &SpectrogramConfig,
    params: &[&[f32]],
    spectra: &[f32],
    clips: usize,
    running: Option<&[BatchStatistics]>,
) -> Tape {
    let mut builder = Builder { tape: Tape::new(params), config, running, param: 0, norm: 0 };
    let x = builder.stem(spectra, clips);
    let mut x = builder.first_block(x);
    x = builder.second_block(x);
    for &channels in &config.stage_channels[1..] {
        x = builder.down_block(x, channels);
        x = builder.block(x, channels);
    }
    let [_, _, rows, cols] = builder.tape.image(x).shape;
    builder.tape.pool(x, [rows, 1], [rows, 1], [1, cols]);
    builder.tape
}

struct Builder<'a> {
    tape: Tape,
    config: &'a SpectrogramConfig,
    running: Option<&'a [BatchStatistics]>,
    /// The next parameter and the next norm.
    param: usize,
    norm: usize,
}

impl Builder<'_> {
    fn take(&mut self) -> usize {
        self.param += 1;
        self.param - 1
    }

    fn norm(&mut self, x: Node) -> Node {
        let affine = self.config.norm_affine.then(|| [self.take(), self.take()]);
        self.norm_with(x, affine)
    }

    fn norm_with(&mut self, x: Node, affine: Option<[usize; 2]>) -> Node {
        let double = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
        let running = self.running.map(|all| &all[self.norm]);
        let running = running.map(|one| [double(&one.mean), double(&one.variance)]);
        self.norm += 1;
        self.tape.norm(x, affine, running)
    }

    fn conv(&mut self, x: Node, channels: usize, kernel: usize, stride: usize) -> Node {
        let weight = self.take();
        self.tape.conv(x, weight, channels, kernel, [stride, stride])
    }

    fn stem(&mut self, spectra: &[f32], clips: usize) -> Node {
        let SpectrogramConfig { frames, bins, stem_channels, stem_stride, .. } = *self.config;
        let mut image = Image::zeros([clips, bins, frames, 1]);
        for (place, value) in spectra.iter().enumerate() {
            let (clip, frame, bin) = (place / (frames * bins), place / bins % frames, place % bins);
            let to = image.place(clip, bin, frame, 0);
            image.values[to] = f64::from(*value);
        }
        let x = self.tape.leaf(image);
        let x = self.norm(x);
        let x = self.tape.channels_to_cols(x);
        let weight = self.take();
        let x = self.tape.conv(x, weight, stem_channels, 7, stem_stride);
        let x = self.norm(x);
        let x = self.tape.relu(x);
        let [_, _, rows, cols] = self.tape.image(x).shape;
        self.tape.pool(x, [3, 3], [2, 2], [(rows - 3) / 2 + 1, (cols - 3) / 2 + 1])
    }

    /// Block 2a: no norm on its input.
    fn first_block(&mut self, x: Node) -> Node {
        let channels = self.config.stem_channels;
        let r = self.tape.relu(x);
        let r = self.conv(r, channels, 3, 1);
        let r = self.norm(r);
        let r = self.tape.relu(r);
        let r = self.conv(r, channels, 3, 1);
        self.tape.add(x, r)
    }

    /// Block 2b: ReLU before the inner norm.
    fn second_block(&mut self, x: Node) -> Node {
        let channels = self.config.stem_channels;
        let x = self.norm(x);
        let r = self.tape.relu(x);
        let r = self.conv(r, channels, 3, 1);
        let r = self.tape.relu(r);
        let r = self.norm(r);
        let r = self.conv(r, channels, 3, 1);
        self.tape.add(x, r)
    }

    /// Blocks 3a, 4a, 5a: halve rows and columns.
    fn down_block(&mut self, x: Node, channels: usize) -> Node {
        let x = self.norm(x);
        let r = self.residual(x, channels, 2);
        let [_, _, rows, cols] = self.tape.image(x).shape;
        let x = self.tape.pool(x, [2, 2], [2, 2], [rows.div_ceil(2), cols.div_ceil(2)]);
        let x = self.conv(x, channels, 1, 1);
        self.tape.add(x, r)
    }

    /// Blocks 3b, 4b, 5b.
    fn block(&mut self, x: Node, channels: usize) -> Node {
        let x = self.norm(x);
        let r = self.residual(x, channels, 1);
        self.tape.add(x, r)
    }

    fn residual(&mut self, x: Node, channels: usize, stride: usize) -> Node {
        let r = self.tape.relu(x);
        let r = self.conv(r, channels, 3, stride);
        let r = self.norm(r);
        let r = self.tape.relu(r);
        self.conv(r, channels, 3, 1)
    }
}
