//! `.npy` arrays of two dimensions: `NumPy`'s format, versions 1 to 3.
//!
//! A header says how large the array is; the file's own length decides what is allocated.

use std::{fs::File, io, path::Path};

use ndarray::{Array2, ArrayView2, ShapeBuilder};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longer headers are refused; that of a plain array has some hundred bytes.
const LONGEST_HEADER: usize = 10_000;
/// Headers are padded so that the numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Why an array could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not the beginning of an array file.
    #[error("found {found}, expected {expected}")]
    Header {
        /// What stands there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "found {found} bytes of numbers, expected {expected} for the shape ({rows}, {columns})"
    )]
    Length {
        /// Bytes behind the header.
        found: usize,
        /// Bytes that the shape takes; none: more than can be counted.
        expected: Expected,
        /// Rows by the header.
        rows: usize,
        /// Columns by the header.
        columns: usize,
    },
}

/// A number of bytes that may be too large to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(Option<usize>);

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(bytes) => bytes.fmt(f),
            None => f.write_str("more than any file has"),
        }
    }
}

/// Reads an array of float32, or of float64, which is rounded to float32; of either byte order, by
/// rows or by columns (`fortran_order`).
///
/// # Errors
/// [`NpyError`] when the file is no such array or its length is not what its header says.
pub fn read(path: &Path) -> Result<Array2<f32>, NpyError> {
    if !File::open(path)?.metadata()?.is_file() {
        return Err(header("no regular file", "a `.npy` file"));
    }
    parse(&std::fs::read(path)?)
}

/// The file of a float32 array, by rows.
pub fn to_bytes(array: ArrayView2<f32>) -> Vec<u8> {
    let (rows, columns) = array.dim();
    let described =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns})}}");
    let used = MAGIC.len() + 4 + described.len() + 1;
    let padding = ALIGNMENT - used % ALIGNMENT;
    let mut bytes = [MAGIC, &[1, 0]].concat();
    bytes.extend(((described.len() + padding + 1) as u16).to_le_bytes());
    bytes.extend(described.as_bytes());
    bytes.extend(std::iter::repeat_n(b' ', padding));
    bytes.push(b'\n');
    bytes.extend(array.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn parse(bytes: &[u8]) -> Result<Array2<f32>, NpyError> {
    let described = |expected| header("another file", expected);
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| described("a `.npy` file"))?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]) as usize, rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [version, ..] => return Err(header(format!("version {version}"), "version 1, 2 or 3")),
        [] => return Err(header("the end of the file", "a version")),
    };
    let most = LONGEST_HEADER.min(rest.len());
    if length > most {
        let found = format!("a header of {length} bytes in a file of {}", bytes.len());
        return Err(header(found, "a header of at most 10000 bytes that the file holds"));
    }
    let (text, numbers) = rest.split_at(length);
    let form = Form::parse(&String::from_utf8_lossy(text))?;
    form.array(numbers)
}

/// What a header says.
#[derive(Debug, PartialEq)]
struct Form {
    double: bool,
    big_endian: bool,
    by_columns: bool,
    shape: [usize; 2],
}

impl Form {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, NpyError> {
        let kind = value(text, "descr")?;
        let (double, big_endian) = match kind.trim_matches(['\'', '"']) {
            "<f4" | "=f4" | "|f4" | "f4" => (false, false),
            ">f4" => (false, true),
            "<f8" | "=f8" | "|f8" | "f8" => (true, false),
            ">f8" => (true, true),
            _ => return Err(header(format!("numbers of the type {kind}"), "float32 or float64")),
        };
        let by_columns = match value(text, "fortran_order")? {
            "True" => true,
            "False" => false,
            other => return Err(header(format!("fortran_order {other}"), "True or False")),
        };
        let shape = value(text, "shape")?;
        let sizes = shape.trim_matches(['(', ')']).split(',').map(str::trim);
        let sizes: Option<Vec<usize>> =
            sizes.filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect();
        match sizes.as_deref() {
            Some(&[rows, columns]) => {
                Ok(Self { double, big_endian, by_columns, shape: [rows, columns] })
            }
            _ => Err(header(format!("the shape {shape}"), "two dimensions, (clips, dims)")),
        }
    }

    fn array(&self, numbers: &[u8]) -> Result<Array2<f32>, NpyError> {
        let [rows, columns] = self.shape;
        let width = if self.double { 8 } else { 4 };
        let expected = rows.checked_mul(columns).and_then(|values| values.checked_mul(width));
        if expected != Some(numbers.len()) {
            let (found, expected) = (numbers.len(), Expected(expected));
            return Err(NpyError::Length { found, expected, rows, columns });
        }
        let values: Vec<f32> = if self.double {
            let of = if self.big_endian { f64::from_be_bytes } else { f64::from_le_bytes };
            numbers.as_chunks::<8>().0.iter().map(|&bytes| of(bytes) as f32).collect()
        } else {
            let of = if self.big_endian { f32::from_be_bytes } else { f32::from_le_bytes };
            numbers.as_chunks::<4>().0.iter().map(|&bytes| of(bytes)).collect()
        };
        let array = Array2::from_shape_vec((rows, columns).set_f(self.by_columns), values)
            .expect("as many numbers as the shape takes");
        // Rows are contiguous everywhere else.
        Ok(array.as_standard_layout().into_owned())
    }
}

/// The text behind a key of a header, up to the comma that ends it.
fn value<'a>(text: &'a str, key: &'static str) -> Result<&'a str, NpyError> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let behind = quoted.iter().find_map(|key| Some(text.split_once(key.as_str())?.1));
    let value = behind.and_then(|rest| rest.trim_start().strip_prefix(':'));
    let value = value.ok_or_else(|| {
        header(
            format!("the header {}", text.trim()),
            "a header that names `descr`, `fortran_order` and `shape`",
        )
    })?;
    let value = value.trim_start();
    let end = match value.strip_prefix('(') {
        Some(tuple) => tuple.find(')').map_or(value.len(), |end| end + 2),
        None => value.find([',', '}']).unwrap_or(value.len()),
    };
    Ok(value[..end].trim())
}

fn header(found: impl Into<String>, expected: &'static str) -> NpyError {
    NpyError::Header { found: found.into(), expected }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn file(version: u8, described: &str, numbers: &[u8]) -> Vec<u8> {
        let length = described.len() as u32;
        let length = if version == 1 { &length.to_le_bytes()[..2] } else { &length.to_le_bytes() };
        [MAGIC, &[version, 0], length, described.as_bytes(), numbers].concat()
    }

    #[test]
    fn a_written_array_has_the_bytes_it_always_had() {
        let array = array![[1.0_f32, -2.5, 3.0], [0.0, f32::MIN_POSITIVE, 1e30]];
        let bytes = to_bytes(array.view());
        let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}";
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(&bytes[10..10 + head.len()], head.as_bytes());
        assert!(bytes[10 + head.len()..127].iter().all(|&byte| byte == b' '));
        assert_eq!(bytes[127], b'\n');
        assert_eq!(&bytes[128..132], &1.0_f32.to_le_bytes());
        assert_eq!(bytes.len(), 128 + 24);
        assert_eq!(parse(&bytes).expect("our own"), array);
    }

    #[test]
    fn every_order_width_and_version_reads_the_same() {
        let expected = array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let rows = [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0];
        let columns = [1.0_f64, 4.0, 2.0, 5.0, 3.0, 6.0];
        for version in [1, 2, 3] {
            for (order, values) in [("False", rows), ("True", columns)] {
                let described = |kind: &str| {
                    format!("{{\"shape\": (2,3), 'fortran_order': {order}, 'descr': '{kind}', }}\n")
                };
                let of = |bytes: fn(f64) -> Vec<u8>| values.map(bytes).concat();
                for (kind, numbers) in [
                    ("<f4", of(|x| (x as f32).to_le_bytes().to_vec())),
                    (">f4", of(|x| (x as f32).to_be_bytes().to_vec())),
                    ("<f8", of(|x| x.to_le_bytes().to_vec())),
                    (">f8", of(|x| x.to_be_bytes().to_vec())),
                ] {
                    let found = parse(&file(version, &described(kind), &numbers));
                    let found = found.unwrap_or_else(|error| panic!("{kind} {order}: {error}"));
                    assert_eq!(found, expected, "version {version}, {kind}, {order}");
                    assert!(found.is_standard_layout());
                }
            }
        }
    }

    #[test]
    fn what_a_header_says_is_believed_only_as_far_as_the_file_goes() {
        let shape = |shape: &str| {
            file(
                1,
                &format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}"),
                &[0; 8],
            )
        };
        let long = [MAGIC, &[2, 0, 0xff, 0xff, 0xff, 0xff], b"{'descr': '<f4'}"].concat();
        for (bytes, said) in [
            (shape("(1000000000000, 8)"), "expected 32000000000000 for the shape"),
            (shape("(18446744073709551615, 8)"), "more than any file has"),
            (shape("(1, 1)"), "found 8 bytes of numbers, expected 4"),
            (shape("(-1, 2)"), "the shape (-1, 2)"),
            (shape("(2,)"), "expected two dimensions"),
            (shape("(1, 1, 2)"), "expected two dimensions"),
            (long, "a header of 4294967295 bytes"),
            (b"RIFF....WAVE".to_vec(), "found another file"),
            (b"\x93NUMPY\x09\x00".to_vec(), "version 9"),
            (b"\x93NUMPY".to_vec(), "the end of the file"),
        ] {
            let error = parse(&bytes).expect_err(said).to_string();
            assert!(error.contains(said), "{error}");
        }
        for kind in ["'<i4'", "'|O'", "[('a', '<f4')]"] {
            let described = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': (1, 2)}}");
            let error = parse(&file(1, &described, &[0; 8])).expect_err(kind).to_string();
            assert!(error.contains("expected float32 or float64"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            version in 0_u8..5,
            text in "[{}():, 'descrfotan_hp<>f48TrueFals0-9]{0,90}",
            numbers in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            let _ = parse(&file(version, &text, &numbers));
            let _ = parse(&numbers);
        }

        #[test]
        fn arrays_come_back_to_the_last_bit(
            rows in 0_usize..5, columns in 0_usize..5, seed in any::<u32>()
        ) {
            let value = |(i, j): (usize, usize)| f32::from_bits(
                seed.wrapping_mul((i * 31 + j * 7 + 1) as u32) & 0x7f7f_ffff
            );
            let array = Array2::from_shape_fn((rows, columns), value);
            prop_assert_eq!(parse(&to_bytes(array.view())).expect("our own"), array);
        }
    }
}
