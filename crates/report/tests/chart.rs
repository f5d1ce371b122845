//! Laws of charts and pictures: nothing lost, nothing unnamed, readable by others.

use std::fs;

use ndarray::{Array2, s};
use offkey_report::chart::{
    Chart, Histogram, Levels, LineChart, MAGMA, MapGroup, PointMap, Series, importance_png,
    overlaid_png, spectrogram_png, write_chart,
};
use png::{ColorType, Decoder, Transformations};

fn histogram() -> Histogram {
    Histogram {
        title: "fan <00>".to_owned(),
        normal: (0..200).map(|i| 0.1 + 0.001 * f64::from(i)).collect(),
        anomalous: (0..50).map(|i| 0.25 + 0.01 * f64::from(i)).collect(),
        unlabelled: vec![],
        threshold: Some(0.2805),
    }
}

fn map() -> PointMap {
    let group = |name: &str, shift: f64| MapGroup {
        name: name.to_owned(),
        points: (0..30).map(|i| [shift + f64::from(i % 6), f64::from(i / 6)]).collect(),
    };
    PointMap {
        title: "t-SNE by machine".to_owned(),
        groups: vec![group("fan, old", 0.0), group("pump & co", 12.0)],
        is_ranked: false,
    }
}

/// Pixels as RGBA, with width and height.
fn decoded(file: &[u8]) -> (Vec<[u8; 4]>, u32, u32) {
    let mut decoder = Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(Transformations::EXPAND | Transformations::ALPHA);
    let mut reader = decoder.read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits in memory")];
    let info = reader.next_frame(&mut pixels).expect("PNG data");
    assert_eq!(info.color_type, ColorType::Rgba);
    let pixels = pixels.as_chunks::<4>().0.to_vec();
    (pixels, info.width, info.height)
}

#[test]
fn a_histogram_counts_every_clip_once() {
    let csv = histogram().csv();
    let mut sums = [0; 3];
    for line in csv.lines().skip(1) {
        for (sum, field) in sums.iter_mut().zip(line.split(',').skip(2)) {
            *sum += field.parse::<usize>().expect("a count");
        }
    }
    assert_eq!(sums, [200, 50, 0]);
    assert_eq!(
        histogram().above_threshold(),
        "Above the threshold: 19 of 200 normal, 46 of 50 anomalous."
    );
}

#[test]
fn charts_of_nothing_are_still_charts() {
    let empty = Histogram {
        title: String::new(),
        normal: vec![],
        anomalous: vec![],
        unlabelled: vec![],
        threshold: None,
    };
    let lines = LineChart::lines("empty", "x", "y", vec![]);
    let hole = Series { name: "hole".to_owned(), points: vec![[0.0, f64::NAN], [1.0, 2.0]] };
    let one = Histogram { normal: vec![0.5], ..empty.clone() };
    let drawn = [
        empty.svg(),
        one.svg(),
        lines.svg(),
        LineChart::lines("hole", "x", "y", vec![hole]).svg(),
        PointMap { title: String::new(), groups: vec![], is_ranked: false }.svg(),
    ];
    for svg in drawn {
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn names_are_escaped_and_quoted() {
    let chart = histogram().svg();
    assert!(chart.contains("fan &lt;00&gt;") && !chart.contains("<00>"));
    let map = map();
    assert!(map.svg().contains("pump &amp; co"));
    assert!(map.csv().lines().nth(1).expect("a row").starts_with("\"fan, old\","));
}

#[test]
fn long_lines_keep_their_ends_and_their_csv() {
    let points: Vec<[f64; 2]> = (0..5000).map(|i| [f64::from(i), f64::from(i % 7)]).collect();
    let series = Series { name: "loss".to_owned(), points };
    let chart = LineChart::lines("Loss", "step", "loss", vec![series]);
    assert!(chart.svg().len() < 10_000, "{}", chart.svg().len());
    assert_eq!(chart.csv().lines().count(), 5001);
}

#[test]
fn a_written_chart_brings_its_style_and_its_numbers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_chart(folder.path(), "scores", &histogram()).expect("a writable folder");
    let svg = fs::read_to_string(folder.path().join("scores.svg")).expect("what was written");
    assert!(svg.contains("xmlns=") && svg.contains("<style>") && svg.contains("--ink"));
    assert!(folder.path().join("scores.csv").is_file());
}

#[test]
fn spectrograms_have_time_to_the_right_and_frequency_upwards() {
    let mut levels = Array2::from_elem((30, 20), -80.0_f32);
    levels[(29, 0)] = 0.0;
    let range = Levels { low_db: -80.0, high_db: 0.0 };
    let (pixels, width, height) =
        decoded(&spectrogram_png(levels.view(), range).expect("a picture"));
    assert_eq!((width, height), (30, 20));
    let at = |column: usize, row: usize| &pixels[row * 30 + column][..3];
    assert_eq!(at(29, 19), MAGMA.at(1.0));
    assert_eq!(at(0, 0), MAGMA.at(0.0));
}

#[test]
fn large_spectrograms_are_put_together_without_losing_peaks() {
    let mut levels = Array2::from_elem((3000, 1025), -80.0_f32);
    levels[(1234, 777)] = 0.0;
    let range = Levels { low_db: -80.0, high_db: 0.0 };
    let file = spectrogram_png(levels.view(), range).expect("a picture");
    let (pixels, width, height) = decoded(&file);
    assert!(width <= 640 && height <= 320 && file.len() < 20_000);
    assert_eq!(pixels.iter().filter(|pixel| pixel[..3] == MAGMA.at(1.0)).count(), 1);
}

#[test]
fn importance_is_clear_where_there_is_none() {
    let mut importance = Array2::from_elem((40, 40), -0.2_f32);
    importance.slice_mut(s![10..20, 5..15]).fill(1.0);
    let (pixels, width, _) = decoded(&importance_png(importance.view()).expect("a picture"));
    let opaque = |column: usize, row: usize| pixels[row * width as usize + column][3];
    assert_eq!(opaque(0, 0), 0);
    assert!(opaque(15, 40 - 10) > 128);
    let levels = Array2::zeros((40, 40));
    let range = Levels { low_db: -80.0, high_db: 0.0 };
    let (pixels, ..) =
        decoded(&overlaid_png(levels.view(), range, importance.view()).expect("a picture"));
    assert_eq!(pixels[0], [255, 255, 255, 255]);
    assert_ne!(pixels[(40 - 10) * 40 + 15][0], pixels[(40 - 10) * 40 + 15][2]);
    let smaller = importance.slice(s![..39, ..]);
    assert!(overlaid_png(levels.view(), range, smaller).is_err());
    assert!(spectrogram_png(Array2::zeros((0, 5)).view(), range).is_err());
}

#[test]
fn a_map_is_painted_with_every_group() {
    let (pixels, width, height) = decoded(&map().png(300).expect("a picture"));
    assert_eq!((width, height), (300, 300));
    let blue = pixels.iter().filter(|p| p[2] > p[0].saturating_add(60)).count();
    let red = pixels.iter().filter(|p| p[0] > p[2].saturating_add(60)).count();
    assert!(blue > 200 && red > 200, "{blue} {red}");
    assert!(map().png(0).is_err());
}
