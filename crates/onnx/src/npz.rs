//! `.npz` files: several `NumPy` arrays in one archive, stored and not compressed.

use crate::OnnxError;

/// An archive in the making.
#[derive(Debug, Default)]
pub(crate) struct Npz {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

/// Headers are padded so that the numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// 1980-01-01, the first day that an archive can name: the same content gives the same bytes.
const DATE: u16 = 0x21;
/// Version of the archive's form that a reader needs.
const VERSION: u16 = 20;
/// The form has no room for more.
const MOST_BYTES: usize = i32::MAX as usize;

impl Npz {
    /// Adds an array of single precision.
    pub(crate) fn floats(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = f32>,
    ) -> Result<(), OnnxError> {
        let data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.array(name, "<f4", shape, &data)
    }

    /// Adds an array of double precision.
    pub(crate) fn doubles(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[f64],
    ) -> Result<(), OnnxError> {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array(name, "<f8", shape, &data)
    }

    /// Adds a row of whole numbers.
    pub(crate) fn integers(&mut self, name: &str, values: &[usize]) -> Result<(), OnnxError> {
        let data: Vec<u8> = values.iter().flat_map(|&v| (v as i64).to_le_bytes()).collect();
        self.array(name, "<i8", &[values.len()], &data)
    }

    /// Adds a row of texts.
    pub(crate) fn texts<T: AsRef<str>>(
        &mut self,
        name: &str,
        texts: &[T],
    ) -> Result<(), OnnxError> {
        let longest = texts.iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0);
        let longest = longest.max(1);
        let padded = |text: &T| {
            let chars: Vec<u32> = text.as_ref().chars().map(u32::from).collect();
            let missing = longest - chars.len();
            chars.into_iter().chain(std::iter::repeat_n(0, missing)).collect::<Vec<u32>>()
        };
        let data: Vec<u8> = texts.iter().flat_map(padded).flat_map(u32::to_le_bytes).collect();
        self.array(name, &format!("<U{longest}"), &[texts.len()], &data)
    }

    fn array(
        &mut self,
        name: &str,
        element: &str,
        shape: &[usize],
        data: &[u8],
    ) -> Result<(), OnnxError> {
        let dims: String = shape.iter().map(|length| format!("{length}, ")).collect();
        let mut header =
            format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({dims}), }}");
        // Magic, version and the header's length take ten bytes, a line end one.
        while !(header.len() + 11).is_multiple_of(ALIGNMENT) {
            header.push(' ');
        }
        header.push('\n');
        let mut array = b"\x93NUMPY\x01\x00".to_vec();
        array.extend((header.len() as u16).to_le_bytes());
        array.extend(header.as_bytes());
        array.extend(data);
        self.entry(&format!("{name}.npy"), &array)
    }

    fn entry(&mut self, name: &str, content: &[u8]) -> Result<(), OnnxError> {
        let start = self.bytes.len();
        if start + content.len() > MOST_BYTES {
            let bytes = start + content.len();
            return Err(OnnxError::TooLarge { name: name.to_owned(), bytes });
        }
        let mut common = Vec::new();
        // Needed version, flags, method (stored), time, date.
        for value in [VERSION, 0, 0, 0, DATE] {
            common.extend(value.to_le_bytes());
        }
        for value in [crc32(content), content.len() as u32, content.len() as u32] {
            common.extend(value.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0_u16.to_le_bytes());

        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&common);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(content);

        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(VERSION.to_le_bytes());
        self.directory.extend(&common);
        // Comment, disk, inner and outer attributes.
        self.directory.extend([0; 10]);
        self.directory.extend((start as u32).to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries += 1;
        Ok(())
    }

    /// The bytes of the archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let (start, length) = (self.bytes.len() as u32, self.directory.len() as u32);
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(start.to_le_bytes());
        self.bytes.extend(0_u16.to_le_bytes());
        self.bytes
    }
}

/// The checksum of archives.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(
            byte as u32,
            |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 }
            },
        )
    });
    let next = |crc: u32, byte: &u8| table[((crc ^ u32::from(*byte)) & 0xFF) as usize] ^ (crc >> 8);
    !bytes.iter().fold(u32::MAX, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_every_archive() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn an_archive_holds_its_arrays_at_aligned_places() {
        let mut npz = Npz::default();
        npz.floats("x", &[2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("small");
        npz.texts("names", &["pump", "fan a"]).expect("small");
        let bytes = npz.finish();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, )"));
        assert!(text.contains("'descr': '<U5', 'fortran_order': False, 'shape': (2, )"));
        let end = &bytes[bytes.len() - 22..];
        assert_eq!(&end[..4], b"PK\x05\x06");
        assert_eq!(u16::from_le_bytes([end[10], end[11]]), 2);
        let directory = u32::from_le_bytes([end[16], end[17], end[18], end[19]]) as usize;
        assert_eq!(&bytes[directory..directory + 4], b"PK\x01\x02");
        assert_eq!(&bytes[..4], b"PK\x03\x04");
    }
}
