//! A stream of bytes, read by a thread of its own: reading cannot be interrupted, and whoever hears it has to be.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, sync_channel},
};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 15;

/// The blocks of a stream as they come; an empty one, or an error, is the last. At most `most_waiting` are held: a
/// stream that is faster waits. Where it stalls for ever, its thread ends with the process.
pub fn blocks(
    mut bytes: Box<dyn Read + Send>,
    most_waiting: usize,
) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, blocks) = sync_channel(most_waiting);
    std::thread::spawn(move || {
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let read = match bytes.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map(|read| block[..read].to_vec()),
            };
            let last = !matches!(&read, Ok(bytes) if !bytes.is_empty());
            // Nobody listens any more where sending fails.
            if sender.send(read).is_err() || last {
                return;
            }
        }
    });
    blocks
}
