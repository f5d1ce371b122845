//! The published formulas on one worked example, to 1e-8: the double-precision twins, and with
//! them the tensors' dynamic scales.

use super::super::reference::{self, ScaleStep};
use super::super::scale::{adacos_scale, adaproj_scale, fixed_scale, sub_cluster_scale};
use super::*;

/// The vectors are written with nine digits.
const WRITTEN: f64 = 1e-8;

/// A cosine in single precision is known to 1e-7, its angle near zero less well.
const SINGLE: f64 = 1e-5;

fn check(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    assert_all_close(found, expected, WRITTEN, what);
}

fn single(values: &Array2<f64>) -> Array2<f32> {
    values.mapv(|v| v as f32)
}

#[test]
fn cosines_of_the_example() {
    let (x, w, _) = example();
    let cosines = reference::cosines(&x, &w);
    let rows = [
        (
            0,
            [
                0.921_336_677,
                0.438_175_708,
                -0.817_720_222,
                -0.639_671_576,
                0.528_942_910,
                0.720_429_080,
            ],
        ),
        (
            3,
            [
                -0.904_787_600,
                -0.485_682_268,
                0.827_319_068,
                0.680_500_868,
                -0.573_123_083,
                -0.767_755_746,
            ],
        ),
    ];
    for (row, expected) in rows {
        check(&cosines.row(row).to_vec(), &expected, "cosines");
    }
}

#[test]
fn sub_cluster_adacos_of_the_example() {
    let (x, w, y) = example();
    let scale = fixed_scale(6);
    check(&[scale], &[2.276_088_923_561_746_3], "s0");

    let p = reference::softmax(&(reference::cosines(&x, &w) * scale));
    let classes = reference::sum_by_class(&p, 2);
    check(
        &classes.row(0).to_vec(),
        &[0.550_112_700, 0.019_700_293, 0.430_187_008],
        "class probabilities",
    );
    let losses = reference::sub_cluster_adacos(&x, &w, &y, 2, scale);
    check(
        &losses.to_vec(),
        &[0.597_632_113, 2.138_675_184, 2.055_863_226, 1.369_706_697],
        "losses at the fixed scale",
    );
    check(&[losses.mean().unwrap()], &[1.540_469_305], "mean");

    let step = reference::sub_cluster_scale(&x, &w, &y, 2, scale);
    check(&step.angles, &[1.516_519_627, 3.866_024_379, 7.828_167_949, 5.404_382_826], "angles");
    check(&[step.scale], &[3.863_983_052_1], "s1");
    let losses = reference::sub_cluster_adacos(&x, &w, &y, 2, step.scale);
    check(
        &losses.to_vec(),
        &[0.464_846_220, 3.014_284_723, 3.045_646_196, 2.198_647_713],
        "losses after the update",
    );
    check(&[losses.mean().unwrap()], &[2.180_856_213], "mean");

    let cosines = single(&reference::cosines(&x, &w));
    let fast = sub_cluster_scale(scale, cosines.view(), single(&y).view());
    assert_close(fast, step.scale, SINGLE, "s1 from single-precision cosines");
}

#[test]
fn adacos_of_the_example() {
    let (x, w, y) = example();
    let (w, y) = (first_of_class(&w), hardened(&y));
    let scale = fixed_scale(3);
    check(&[scale], &[0.980_258_143], "s0");
    let ScaleStep { mean_sum, median_angle, scale: next, .. } =
        reference::adacos_scale(&x, &w, &y, scale);
    check(
        &[mean_sum, median_angle, next],
        &[1.848_655_263, 0.937_498_005, 0.868_975_530],
        "dynamic scale",
    );
    let cosines = single(&reference::cosines(&x, &w));
    let fast = adacos_scale(scale, cosines.view(), single(&y).view());
    assert_close(fast, next, SINGLE, "s1 from single-precision cosines");
}

#[test]
fn adaproj_of_the_example() {
    let (x, w, y) = example();
    let scale = fixed_scale(6);
    let cosines = reference::projection_cosines(&x, &w, 2);
    check(&cosines.row(0).to_vec(), &[0.994_296_535, 0.955_564_363, 0.849_729_844], "cosines");
    let step = reference::adaproj_scale(&x, &w, &y, 2, scale);
    check(&step.angles, &[0.106_854_054, 0.306_662_190, 0.555_840_749, 0.273_886_215], "angles");
    check(&[step.median_angle, step.scale], &[0.306_662_190, 3.212_627_383_0], "dynamic scale");
    let mean_at = |scale| reference::adaproj(&x, &w, &y, 2, scale).mean().unwrap();
    check(
        &[mean_at(scale), mean_at(step.scale)],
        &[1.119_706_403_1, 1.134_172_250_3],
        "mean losses",
    );
    let fast = adaproj_scale(scale, single(&cosines).view(), single(&y).view());
    assert_close(fast, step.scale, SINGLE, "s1 from single-precision cosines");
}

#[test]
fn margin_losses_of_the_example() {
    let (x, w, y) = example();
    let (w, y) = (first_of_class(&w), hardened(&y));
    let aam = reference::aam(&x, &w, &y, 64.0, 0.5);
    check(&aam.to_vec(), &[0.002_560_678_7, 0.418_443_899_5, 118.600_287_413_2, 0.0], "aam");
    check(&[aam.mean().unwrap()], &[29.755_322_997_9], "mean aam");
    let cosface = reference::cosface(&x, &w, &y, 64.0, 0.35);
    check(&cosface.to_vec(), &[0.064_217_367_7, 5.046_961_1e-5, 126.667_819_928_6, 0.0], "cosface");
    check(&[cosface.mean().unwrap()], &[31.683_021_941_5], "mean cosface");
}

#[test]
fn intra_class_compactness_of_the_example() {
    let (x, w, y) = example();
    let (w, y) = (first_of_class(&w), hardened(&y));
    let losses = reference::intra_class_compactness(&x, &w, &y, true);
    check(
        &losses.to_vec(),
        &[0.157_326_647, 1.423_730_350, 3.504_050_521, 0.345_361_864],
        "intra-class compactness",
    );
}
