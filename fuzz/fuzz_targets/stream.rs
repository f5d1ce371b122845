//! Any bytes as a stream, in pieces of any size: the samples and the error that a file of these bytes
//! gives. The first bytes choose rule, rate and size of the pieces.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use offkey_signal::{ChannelRule, DecodeConfig, StreamReader, decode_bytes};

const MOST_BYTES: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let [how, piece, file @ ..] = bytes else { return };
    let channel = if how % 2 == 0 { ChannelRule::Mix } else { ChannelRule::Pick(0) };
    let rate_hz = [None, Some(16_000), Some(11_025)][usize::from(how / 2) % 3];
    let config = DecodeConfig { channel, rate_hz };
    let name = Path::new("fuzzed");
    let file = &file[..file.len().min(MOST_BYTES)];
    let mut stream = StreamReader::new(name, None, &config);
    let mut samples = Vec::new();
    let mut error = None;
    for part in file.chunks(1 + 16 * usize::from(*piece)) {
        error = error.or(stream.push(part, &mut samples).err());
    }
    error = error.or(stream.finish(&mut samples).err());
    match (decode_bytes(name, file.to_vec(), &config), error) {
        (Ok(wave), None) => assert!(wave.samples == samples, "other samples than of the file"),
        (Err(of_file), Some(of_stream)) => {
            assert_eq!(of_file.to_string(), of_stream.to_string());
        }
        (Ok(_), Some(error)) => panic!("the stream is refused, the file is not: {error}"),
        (Err(error), None) => panic!("the file is refused, the stream is not: {error}"),
    }
});
