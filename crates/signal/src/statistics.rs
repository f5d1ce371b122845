//! What a spectrogram's bins do on average.

use ndarray::{ArrayView1, ArrayView2, Axis};

/// Mean over time of every bin, then standard deviation over time of every bin.
///
/// # Shapes
/// `spectrogram`: `[frames, bins]`; result: `2 * bins`.
pub fn time_statistics(spectrogram: ArrayView2<'_, f32>) -> Vec<f32> {
    let (mut means, deviations) = mean_and_deviation(spectrogram);
    means.extend(deviations);
    means
}

/// Mean and population standard deviation of every column.
pub fn mean_and_deviation(table: ArrayView2<'_, f32>) -> (Vec<f32>, Vec<f32>) {
    let rows = table.nrows() as f64;
    let of_column = |column: ArrayView1<'_, f32>| {
        let mean = column.iter().map(|&x| f64::from(x)).sum::<f64>() / rows;
        let variance = column.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / rows;
        (mean as f32, variance.sqrt() as f32)
    };
    table.axis_iter(Axis(1)).map(of_column).unzip()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn means_come_first_and_a_steady_bin_does_not_deviate() {
        let spectrogram = array![[1.0, 5.0], [3.0, 5.0]];
        assert_eq!(time_statistics(spectrogram.view()), [2.0, 5.0, 1.0, 0.0]);
    }
}
