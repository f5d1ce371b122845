//! A microphone as a stream of bytes, through the system's sound library. Built with the cargo feature
//! `microphone` only, since that library is not everywhere.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use cpal::{
    Device, FromSample, SampleFormat, SampleRate, SizedSample, Stream, SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};
use offkey_signal::{PcmFormat, SampleKind};

use crate::MonitorError;

/// Blocks that may wait to be heard, some ten milliseconds each.
const MOST_WAITING: usize = 2000;

/// Where the sound system puts blocks, and whether it had to drop one.
#[derive(Clone)]
struct Blocks {
    sender: SyncSender<io::Result<Vec<u8>>>,
    dropped: Arc<AtomicBool>,
}

/// An open microphone. Reading waits for sound; an error means that it was lost.
pub(super) struct Microphone {
    /// `None` only while it is being closed.
    blocks: Option<Receiver<io::Result<Vec<u8>>>>,
    dropped: Arc<AtomicBool>,
    block: Vec<u8>,
    read: usize,
    keeper: Option<JoinHandle<()>>,
    /// Dropped to let the keeper go.
    stop: Option<SyncSender<()>>,
}

/// Opens the microphone of that name, or the system's default one, at one of the rates.
///
/// # Errors
/// [`MonitorError::Microphone`] when there is none, or it knows none of the rates.
pub(super) fn open(
    name: Option<&str>,
    rates_hz: &[u32],
) -> Result<(Microphone, PcmFormat), MonitorError> {
    let failed = |problem: String| MonitorError::Microphone {
        name: name.unwrap_or("default").to_owned(),
        problem,
    };
    let (sender, blocks) = sync_channel(MOST_WAITING);
    let dropped = Arc::new(AtomicBool::new(false));
    let put = Blocks { sender, dropped: Arc::clone(&dropped) };
    let (stop, stopped) = sync_channel::<()>(0);
    let (ready, is_ready) = sync_channel(1);
    let (wanted, rates) = (name.map(str::to_owned), rates_hz.to_vec());
    // Streams of some systems must stay on the thread that opened them.
    let keeper = std::thread::spawn(move || match start(wanted.as_deref(), &rates, put) {
        Ok((stream, format)) => {
            if ready.send(Ok(format)).is_ok() {
                // Returns when the microphone is dropped.
                let _ = stopped.recv();
            }
            drop(stream);
        }
        Err(problem) => {
            // Nobody listens only where `open` itself is gone.
            let _ = ready.send(Err(problem));
        }
    });
    let format = is_ready
        .recv()
        .map_err(|_| failed("the sound system ended unexpectedly".to_owned()))?
        .map_err(failed)?;
    let microphone = Microphone {
        blocks: Some(blocks),
        dropped,
        block: Vec::new(),
        read: 0,
        keeper: Some(keeper),
        stop: Some(stop),
    };
    Ok((microphone, format))
}

impl Read for Microphone {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read == self.block.len() {
            let Some(blocks) = &self.blocks else { return Ok(0) };
            if self.dropped.load(Ordering::Relaxed) {
                return Err(io::Error::other("sound came faster than it could be heard"));
            }
            let lost = |_| io::Error::other("the microphone was lost");
            self.block = blocks.recv().map_err(lost)??;
            self.read = 0;
        }
        let count = out.len().min(self.block.len() - self.read);
        out[..count].copy_from_slice(&self.block[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.blocks = None;
        self.stop = None;
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has nothing left to close.
            let _ = keeper.join();
        }
    }
}

impl Blocks {
    /// Never waits: it is called from the sound system's own thread.
    fn put(&self, block: io::Result<Vec<u8>>) {
        if self.sender.try_send(block).is_err() {
            self.dropped.store(true, Ordering::Relaxed);
        }
    }
}

fn start(
    name: Option<&str>,
    rates_hz: &[u32],
    blocks: Blocks,
) -> Result<(Stream, PcmFormat), String> {
    let host = cpal::default_host();
    let device = match name {
        None => host.default_input_device().ok_or("there is none")?,
        Some(wanted) => named(&host, wanted)?,
    };
    let config = fitting(&device, rates_hz)?;
    let format = PcmFormat {
        rate_hz: config.sample_rate().0,
        channels: config.channels(),
        sample: SampleKind::F32,
    };
    let stream = match config.sample_format() {
        SampleFormat::I16 => stream::<i16>(&device, &config, blocks),
        SampleFormat::I32 => stream::<i32>(&device, &config, blocks),
        _ => stream::<f32>(&device, &config, blocks),
    }?;
    stream.play().map_err(|error| error.to_string())?;
    Ok((stream, format))
}

fn named(host: &cpal::Host, wanted: &str) -> Result<Device, String> {
    let devices = host.input_devices().map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    for device in devices {
        let name = device.name().unwrap_or_default();
        if name == wanted {
            return Ok(device);
        }
        names.push(name);
    }
    Err(format!("there are: {}", names.join(", ")))
}

/// The form with the fewest channels among those of a rate that is asked for.
fn fitting(device: &Device, rates_hz: &[u32]) -> Result<SupportedStreamConfig, String> {
    let ranges: Vec<_> =
        device.supported_input_configs().map_err(|error| error.to_string())?.collect();
    let understood = [SampleFormat::I16, SampleFormat::I32, SampleFormat::F32];
    let mut fitting: Vec<SupportedStreamConfig> = ranges
        .iter()
        .filter(|range| understood.contains(&range.sample_format()))
        .flat_map(|range| {
            rates_hz.iter().filter_map(|&rate| range.try_with_sample_rate(SampleRate(rate)))
        })
        .collect();
    fitting.sort_by_key(SupportedStreamConfig::channels);
    let known = || {
        let rates = ranges.iter().map(|range| {
            format!("{} to {} Hz", range.min_sample_rate().0, range.max_sample_rate().0)
        });
        format!("it has {}, expected one of {rates_hz:?} Hz", rates.collect::<Vec<_>>().join(", "))
    };
    fitting.into_iter().next().ok_or_else(known)
}

fn stream<T: SizedSample>(
    device: &Device,
    config: &SupportedStreamConfig,
    blocks: Blocks,
) -> Result<Stream, String>
where
    f32: FromSample<T>,
{
    let errors = blocks.clone();
    let heard = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        let bytes = samples.iter().flat_map(|sample| sample.to_sample::<f32>().to_le_bytes());
        blocks.put(Ok(bytes.collect()));
    };
    let lost = move |error: cpal::StreamError| {
        errors.put(Err(io::Error::other(error.to_string())));
    };
    device
        .build_input_stream(&config.config(), heard, lost, None)
        .map_err(|error| error.to_string())
}
