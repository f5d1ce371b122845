//! Event files as `TensorBoard` reads them: scalars by tag and step.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// An event file that grows: records of a length, the check sum of the length, a protocol buffer of
/// the type `Event`, and its check sum.
///
/// # Source
/// `tensorflow/core/util/event.proto` and `tensorflow/core/lib/io/record_writer.h`.
#[derive(Debug)]
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Begins a file for the events from a step on. A training that begins anew passes step 0 and
    /// removes the event files of an earlier one; one that goes on adds a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn begin(folder: &Path, step: usize) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let from = name.strip_prefix(PREFIX).and_then(|rest| rest.get(..DIGITS)?.parse().ok());
            // What follows the step was written by a training that is being repeated.
            if from.is_some_and(|from: usize| from >= step) {
                fs::remove_file(&path)?;
            }
        }
        let name = format!("{PREFIX}{step:0DIGITS$}.offkey");
        let mut events = Self { file: File::create(folder.join(name))? };
        events.write(&[time(), field(3, b"brain.Event:2")].concat())?;
        if step > 0 {
            // A session that starts tells the reader to drop what it has from this step on.
            let start = field(7, &number(1, 1));
            events.write(&[time(), number(2, step as u64), start].concat())?;
        }
        Ok(events)
    }

    /// Adds scalars of a step; those that are no numbers are left out.
    ///
    /// # Errors
    /// What the file system says.
    pub fn scalars(&mut self, step: usize, values: &[(&str, Option<f64>)]) -> io::Result<()> {
        let value = |&(tag, value): &(&str, Option<f64>)| {
            let value = value.filter(|value| value.is_finite())?;
            let simple = [&[(2 << 3) | 5][..], &(value as f32).to_le_bytes()].concat();
            Some(field(1, &[field(1, tag.as_bytes()), simple].concat()))
        };
        let summary: Vec<u8> = values.iter().filter_map(value).flatten().collect();
        if summary.is_empty() {
            return Ok(());
        }
        self.write(&[time(), number(2, step as u64), field(5, &summary)].concat())
    }

    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_crc32c(&length).to_le_bytes());
        record.extend(event);
        record.extend(masked_crc32c(event).to_le_bytes());
        self.file.write_all(&record)
    }
}

/// `TensorBoard` takes every file with `tfevents` in its name, in the order of names.
const PREFIX: &str = "events.out.tfevents.";
const DIGITS: usize = 10;

/// The field `wall_time` with the present time.
fn time() -> Vec<u8> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    [&[(1 << 3) | 1][..], &since.as_secs_f64().to_le_bytes()].concat()
}

/// A field of bytes.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint((tag << 3) | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field of a whole number.
fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// CRC-32C, rotated and shifted as records want it.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            let carry = if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            (crc >> 1) ^ carry
        })
    });
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_that_of_the_standard() {
        // RFC 3720, appendix B.4: 32 bytes of zeros have 0x8a9136aa.
        let plain = 0x8a91_36aa_u32;
        assert_eq!(masked_crc32c(&[0; 32]), plain.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn numbers_take_seven_bits_per_byte() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [127]);
        assert_eq!(varint(300), [0xac, 0x02]);
    }

    #[test]
    fn records_follow_each_other_and_a_repeated_step_begins_the_file_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = |name: &str| {
            let bytes = fs::read(folder.path().join(name)).expect("written");
            let (mut at, mut found) = (0, Vec::new());
            while at < bytes.len() {
                let length = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
                let event = &bytes[at + 12..at + 12 + length as usize];
                found.push(event.to_vec());
                at += 16 + length as usize;
            }
            found
        };
        let mut events = EventFile::begin(folder.path(), 0).expect("writable");
        events.scalars(3, &[("loss", Some(0.5)), ("gone", None)]).expect("writable");
        events.scalars(4, &[("gone", Some(f64::NAN))]).expect("writable");
        let written = records("events.out.tfevents.0000000000.offkey");
        assert_eq!(written.len(), 2);
        assert!(written[1].ends_with(&0.5_f32.to_le_bytes()));
        EventFile::begin(folder.path(), 7).expect("writable");
        EventFile::begin(folder.path(), 5).expect("writable");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("there")
            .map(|e| e.expect("there").file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["events.out.tfevents.0000000000.offkey", "events.out.tfevents.0000000005.offkey"]
        );
    }
}
