//! Whole model files whose checksum is right and whose content is not: read, asked what they promise,
//! and made to judge a window; or refused by name.
//!
//! The input is a list of edits. Each changes one value of a sound file: of its description, of its
//! arrays, or the shape of an array. Other inputs are whole files as they are.

#![no_main]

use std::{collections::HashMap, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use offkey_core::Digest;
use offkey_infer::{
    Compute, StatisticsConfig,
    pooled::{PooledConfig, Pooling, Spectrogram},
};
use offkey_monitor::{Model, ModelCard, Monitor};
use offkey_signal::{FloorRule, LogMel, Stft};
use offkey_testkit::{NoiseModel, noise};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

const RATE_HZ: u32 = 8_000;
/// The profile of a model hears frames of 1024 samples.
const WINDOW: usize = 1024;
/// Windows longer than this are not judged: they are allowed, and take their time.
const MOST_SAMPLES: usize = 1 << 14;
const EDIT_BYTES: usize = 12;
/// The text of the file that describes it.
const CARD: &str = "card";
const MOST_EDITS: usize = 6;

/// A file taken apart.
#[derive(Clone)]
struct File {
    /// The description, taken apart once: reading it anew for every edit took longer than the edits.
    card: Value,
    texts: HashMap<String, String>,
    arrays: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let log_mel = LogMel {
        rate_hz: RATE_HZ,
        window: 256,
        hop: 128,
        fft: 256,
        mels: 8,
        floor_rule: FloorRule::Add,
        ..LogMel::default()
    };
    let pooled = PooledConfig { spectrogram: Spectrogram::LogMel(log_mel), pooling: Pooling::Mean };
    let statistics = StatisticsConfig::Spectrogram(Stft { window: 16, hop: 8 }).unscaled();
    let statistics = Box::new(statistics);
    let members = [
        ((ModelCard::Pooled(pooled.clone()), Model::Pooled(pooled)), "shrunk-mahalanobis"),
        ((ModelCard::Statistics(statistics.clone()), Model::Statistics(statistics)), "knn"),
    ];
    let learned = |(member, backend)| taken_apart(&learned(member, backend));
    let mut files: Vec<File> = members.into_iter().map(learned).collect();
    files.push(taken_apart(include_bytes!("../../testdata/monitor/form_1.offkey")));
    files
});

/// The bytes of a model of eight recordings.
fn learned(member: (ModelCard, Model), backend: &'static str) -> Vec<u8> {
    let noise = NoiseModel {
        rate_hz: RATE_HZ,
        sounds: 1,
        member,
        backend,
        wished: Some("5%"),
        ..NoiseModel::new(WINDOW, 8)
    };
    let folder = tempfile::tempdir().expect("a fuzzer needs a temporary folder");
    let path = folder.path().join("m.offkey");
    noise.learn().save(&path).expect("room");
    std::fs::read(&path).expect("the file")
}

fn taken_apart(bytes: &[u8]) -> File {
    let (_, header) = SafeTensors::read_metadata(bytes).expect("a sound file");
    let tensors = SafeTensors::deserialize(bytes).expect("a sound file");
    let arrays = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    let mut texts = header.metadata().clone().expect("a description");
    let card = texts.remove(CARD).expect("a description");
    File { card: serde_json::from_str(&card).expect("a sound description"), texts, arrays }
}

impl File {
    /// The file's bytes with the checksum that its content has; none where no file is of this form.
    fn signed(mut self) -> Option<Vec<u8>> {
        self.arrays.sort_by(|a, b| a.0.cmp(&b.0));
        self.texts.remove("sha256");
        self.texts.insert(CARD.to_owned(), self.card.to_string());
        let mut digest = Digest::new();
        let mut texts: Vec<(&String, &String)> = self.texts.iter().collect();
        texts.sort();
        for (key, value) in texts {
            for part in [key, value] {
                digest.add(part);
                digest.add([0]);
            }
        }
        let mut views = Vec::new();
        for (name, dtype, shape, data) in &self.arrays {
            digest.add(name);
            digest.add(format!("{dtype:?}{shape:?}"));
            digest.add(data);
            views.push((name.clone(), TensorView::new(*dtype, shape.clone(), data).ok()?));
        }
        self.texts.insert("sha256".to_owned(), digest.hex());
        safetensors::serialize(views, Some(self.texts)).ok()
    }

    fn edit(&mut self, edit: &[u8; EDIT_BYTES]) {
        let [kind, a, b, what, payload @ ..] = *edit;
        let at = usize::from(u16::from_le_bytes([a, b]));
        match kind % 8 {
            0..=4 => self.edit_card(at, what, payload),
            5 => self.edit_text(at, payload),
            6 => self.edit_number(at, what, payload),
            _ => self.edit_shape(at, payload),
        }
    }

    /// One value of the description becomes another.
    fn edit_card(&mut self, at: usize, what: u8, payload: [u8; 8]) {
        let leaves = count(&self.card);
        change(&mut self.card, &mut (at % leaves), &odd(what, payload));
    }

    /// A number in another text, as the card of a network, becomes another.
    fn edit_text(&mut self, at: usize, payload: [u8; 8]) {
        let mut names: Vec<String> =
            self.texts.keys().filter(|key| *key != "sha256").cloned().collect();
        names.sort();
        let Some(text) = names.get(at % names.len().max(1)).and_then(|n| self.texts.get_mut(n))
        else {
            return;
        };
        let digits: Vec<usize> =
            text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
        let place = usize::from(u16::from_le_bytes([payload[0], payload[1]]));
        let Some(&start) = digits.get(place % digits.len().max(1)) else { return };
        let number = match payload[2] % 4 {
            0 => format!("{}", i64::from_le_bytes(payload)),
            1 => format!("{}", payload[3]),
            2 => format!("1{}", "0".repeat(usize::from(payload[3] % 20))),
            _ => "nan".to_owned(),
        };
        text.replace_range(start..=start, &number);
    }

    fn edit_number(&mut self, at: usize, what: u8, payload: [u8; 8]) {
        let count = self.arrays.len().max(1);
        let Some((_, dtype, _, data)) = self.arrays.get_mut(usize::from(what) % count) else { return };
        let bytes = match *dtype {
            Dtype::F64 => 8,
            Dtype::F32 => 4,
            _ => 1,
        };
        let place = at * bytes % data.len().max(1) / bytes * bytes;
        if let Some(number) = data.get_mut(place..place + bytes) {
            number.copy_from_slice(&payload[..bytes]);
        }
    }

    /// An array loses its last rows or columns, or becomes another one's size.
    fn edit_shape(&mut self, at: usize, payload: [u8; 8]) {
        let count = self.arrays.len().max(1);
        let Some((_, dtype, shape, data)) = self.arrays.get_mut(at % count) else { return };
        if let [rows, columns] = shape.as_mut_slice() {
            (*rows, *columns) = match payload[0] % 4 {
                0 => (*columns, *rows),
                1 => (usize::from(payload[1]), *columns),
                2 => (*rows, usize::from(payload[1])),
                _ => (0, *columns),
            };
            let size = match *dtype {
                Dtype::F64 => 8,
                Dtype::F32 => 4,
                _ => 2,
            };
            data.resize(*rows * *columns * size, payload[2]);
        }
    }
}

/// A value that a forger might write.
fn odd(what: u8, payload: [u8; 8]) -> Value {
    let bits = u64::from_le_bytes(payload);
    match what % 20 {
        0 => json!(0),
        1 => json!(-1),
        2 => json!(1),
        3 => json!(u64::MAX),
        4 => json!(i64::MIN),
        5 => json!(bits),
        6 => json!(bits % 100),
        7 => json!(1e300),
        8 => json!(-1e-300),
        9 => json!(f64::from_bits(bits)),
        10 => json!((bits % 10_000) as f64 / 1000.0),
        11 => Value::Null,
        12 => json!([]),
        13 => json!({}),
        14 => json!(""),
        15 => json!("x".repeat(usize::from(payload[0]))),
        16 => json!(true),
        17 => json!([1, 2, 3]),
        18 => json!(1_u64 << (bits % 64)),
        _ => json!("1 per week"),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

fn change(value: &mut Value, left: &mut usize, new: &Value) -> bool {
    if *left == 0 {
        *value = new.clone();
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, new)),
        Value::Object(fields) => fields.values_mut().any(|field| change(field, left, new)),
        _ => false,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [which, rest @ ..] = bytes else { return };
    let path = Path::new("fuzzed.offkey");
    let files = &*FILES;
    // The file of the first form is large and slow, and whole files seldom get past their checksum: one input in 256 each.
    let index = match *which {
        254 => 2,
        255 => 3,
        other => usize::from(other % 2),
    };
    let file = match files.get(index) {
        None => rest.to_vec(),
        Some(sound) => {
            let mut file = sound.clone();
            for edit in rest.as_chunks::<EDIT_BYTES>().0.iter().take(MOST_EDITS) {
                file.edit(edit);
            }
            let Some(signed) = file.signed() else { return };
            signed
        }
    };
    let monitor = match Monitor::read(path, &file, Compute::default()) {
        Ok(monitor) => monitor,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(!monitor.promise().to_string().is_empty());
    let _ = (monitor.warnings(), monitor.odd_recordings(), monitor.fingerprint());
    let samples = monitor.card().windows.samples;
    if samples <= MOST_SAMPLES
        && let Ok(judged) = monitor.judge(0, &noise(99, samples))
    {
        assert!(judged.score.is_none_or(|score| !score.is_nan()), "a score that is no number");
        assert!(judged.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "p {:?}", judged.p_value);
    }
});
