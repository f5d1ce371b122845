//! Compressed sound in its usual containers, decoded by symphonia: Ogg, MP3, AAC, MP4, Matroska,
//! CAF.

use std::{
    io::{self, Seek, SeekFrom},
    ops::Range,
    path::Path,
    sync::LazyLock,
};

use symphonia::{
    core::{
        codecs::{
            audio::{
                AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
                well_known::{
                    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3,
                    CODEC_ID_OPUS, CODEC_ID_SPEEX, CODEC_ID_VORBIS,
                },
            },
            registry::CodecRegistry,
        },
        errors::Error,
        formats::{FormatOptions, FormatReader, TrackType},
        io::{MediaSourceStream, MediaSourceStreamOptions},
    },
    default::formats::{AdtsReader, CafReader, IsoMp4Reader, MkvReader, MpaReader, OggReader},
};

use super::{
    bytes::Input,
    info::{AudioInfo, Codec, Container},
    layout::check_form,
    part::Part,
    piece::Piece,
    refusal::{malformed, unsupported},
};
use crate::{AudioError, Damage};

/// Packets without a single frame that are passed over in a row.
const MOST_EMPTY: usize = 10_000;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    #[cfg(feature = "opus")]
    codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
    codecs
});

/// The packets of an open file.
pub(super) struct PacketSource {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    container: Container,
    rate_hz: u32,
    channels: u16,
    /// Frames decoded; the last packet's among them.
    next_frame: u64,
    /// Frames that lie before the place sought.
    skip: u64,
    /// The last packet's frames, interleaved, where they have not been given yet.
    packet: Vec<f32>,
}

impl PacketSource {
    /// Opens a container whose bytes lie at `place`, and decodes its first packet: rate and channels
    /// are what the decoder gives. The length is not known.
    pub(super) fn open(
        path: &Path,
        input: Box<dyn Input>,
        container: Container,
        place: Range<u64>,
    ) -> Result<(AudioInfo, Self), AudioError> {
        let part = Part::new(Vec::new(), input, place);
        let media = MediaSourceStream::new(Box::new(part), MediaSourceStreamOptions::default());
        let (codec, source) = Self::begin(path, container, media)?;
        let (rate_hz, channels) = (source.rate_hz, source.channels);
        Ok((AudioInfo { rate_hz, channels, frames: u64::MAX, container, codec }, source))
    }

    /// A source at the beginning of a container, its first packet decoded.
    fn begin(
        path: &Path,
        container: Container,
        media: MediaSourceStream<'static>,
    ) -> Result<(Codec, Self), AudioError> {
        let reader = open_container(container, media).map_err(|error| refused(path, error))?;
        let track = reader
            .default_track(TrackType::Audio)
            .ok_or_else(|| malformed(path, "it has no sound in it"))?;
        let id = track.id;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or_else(|| malformed(path, "its sound has no description"))?;
        let codec = codec_of(path, params)?;
        let mut params = params.clone();
        if matches!(codec, Codec::ALaw | Codec::MuLaw) {
            // The decoder wants the bits it gives, and containers tell those of the coding.
            (params.bits_per_sample, params.bits_per_coded_sample) = (Some(16), Some(16));
        }
        let decoder = CODECS
            .make_audio_decoder(&params, &AudioDecoderOptions::default())
            .map_err(|error| refused(path, error))?;
        let mut source = Self {
            reader,
            decoder,
            track: id,
            container,
            rate_hz: 0,
            channels: 0,
            next_frame: 0,
            skip: 0,
            packet: Vec::new(),
        };
        match source.decode_next(path)? {
            Piece::Frames => {}
            Piece::End => return Err(AudioError::Empty { path: path.to_owned() }),
            Piece::Damaged(damage) => {
                return Err(AudioError::Damaged { path: path.to_owned(), damage });
            }
        }
        check_form(path, source.channels, source.rate_hz)?;
        Ok((codec, source))
    }

    /// Decodes everything to count it; returns a source at the beginning.
    pub(super) fn count(mut self, path: &Path) -> Result<(u64, Self), AudioError> {
        while let Piece::Frames = self.decode_next(path)? {}
        let frames = self.next_frame;
        let mut media = self.reader.into_inner();
        let io_error = |source| AudioError::Io { path: path.to_owned(), source };
        media.seek(SeekFrom::Start(0)).map_err(io_error)?;
        let (_, source) = Self::begin(path, self.container, media)?;
        Ok((frames, source))
    }

    /// Makes `frame` the next to be given, counted from the beginning.
    pub(super) fn skip(&mut self, frame: u64) {
        self.skip = frame;
    }

    /// Appends the next frames.
    pub(super) fn read_block(
        &mut self,
        path: &Path,
        out: &mut Vec<f32>,
    ) -> Result<Piece, AudioError> {
        loop {
            if self.packet.is_empty() {
                match self.decode_next(path)? {
                    Piece::Frames => {}
                    other => return Ok(other),
                }
            }
            let channels = usize::from(self.channels);
            let frames = self.packet.len() / channels;
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(frames);
            self.skip -= skipped as u64;
            out.extend_from_slice(&self.packet[skipped * channels..]);
            self.packet.clear();
            if frames > skipped {
                return Ok(Piece::Frames);
            }
        }
    }

    /// Decodes the next packet that has frames.
    fn decode_next(&mut self, path: &Path) -> Result<Piece, AudioError> {
        for _ in 0..MOST_EMPTY {
            let frame = self.next_frame;
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(Piece::End),
                Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(self.end());
                }
                Err(Error::ResetRequired) => {
                    return Ok(Piece::Damaged(Damage::AnotherRecording { frame }));
                }
                Err(error) => return bad_packet(path, frame, error),
            };
            let decoded = match self.decoder.decode(&packet) {
                Ok(decoded) => decoded,
                Err(error) => return bad_packet(path, frame, error),
            };
            let spec = decoded.spec();
            let form = (spec.rate(), u16::try_from(spec.channels().count()).unwrap_or(u16::MAX));
            let frames = decoded.frames();
            if frames == 0 {
                continue;
            }
            if frame == 0 {
                (self.rate_hz, self.channels) = form;
            } else if form != (self.rate_hz, self.channels) {
                return Ok(Piece::Damaged(Damage::AnotherRecording { frame }));
            }
            decoded.copy_to_vec_interleaved(&mut self.packet);
            self.next_frame += frames as u64;
            return Ok(Piece::Frames);
        }
        let what = format!("{MOST_EMPTY} packets without sound");
        Ok(Piece::Damaged(Damage::BadBlock { frame: self.next_frame, what }))
    }

    /// MPEG frames may end anywhere; a container that ends in the middle of a packet is cut.
    fn end(&self) -> Piece {
        match self.container {
            Container::Mp4 | Container::Caf | Container::Matroska => {
                let what = "the file ends in the middle of a packet".to_owned();
                Piece::Damaged(Damage::BadBlock { frame: self.next_frame, what })
            }
            _ => Piece::End,
        }
    }
}

fn open_container(
    container: Container,
    media: MediaSourceStream<'static>,
) -> Result<Box<dyn FormatReader>, Error> {
    let options = FormatOptions::default();
    Ok(match container {
        Container::Ogg => Box::new(OggReader::try_new(media, options)?),
        Container::Mp4 => Box::new(IsoMp4Reader::try_new(media, options)?),
        Container::Matroska => Box::new(MkvReader::try_new(media, options)?),
        Container::Caf => Box::new(CafReader::try_new(media, options)?),
        Container::Adts => Box::new(AdtsReader::try_new(media, options)?),
        Container::Mpeg => Box::new(MpaReader::try_new(media, options)?),
        Container::Wav | Container::W64 | Container::Aiff | Container::Flac | Container::Raw => {
            return Err(Error::Unsupported("a container of another reader"));
        }
    })
}

fn codec_of(path: &Path, params: &AudioCodecParameters) -> Result<Codec, AudioError> {
    let bits = params.bits_per_sample.unwrap_or(16) as u16;
    let refused = |found: &str| {
        let expected = "Vorbis, MP3, AAC, FLAC, ALAC or PCM";
        Err(unsupported(path, "the coding", found.to_owned(), expected))
    };
    match params.codec {
        CODEC_ID_VORBIS => Ok(Codec::Vorbis),
        CODEC_ID_MP3 => Ok(Codec::Mp3),
        CODEC_ID_AAC => Ok(Codec::Aac),
        CODEC_ID_FLAC => Ok(Codec::Flac(bits)),
        CODEC_ID_ALAC => Ok(Codec::Alac),
        CODEC_ID_OPUS if cfg!(feature = "opus") => Ok(Codec::Opus),
        CODEC_ID_OPUS => refused("Opus"),
        CODEC_ID_SPEEX => refused("Speex"),
        CODEC_ID_AC3 => refused("AC-3"),
        id => match CODECS.get_audio_decoder(id) {
            Some(known) if known.codec.info.short_name.starts_with("pcm_f") => {
                Ok(Codec::Float(bits))
            }
            Some(known) if known.codec.info.short_name.ends_with("alaw") => Ok(Codec::ALaw),
            Some(known) if known.codec.info.short_name.ends_with("mulaw") => Ok(Codec::MuLaw),
            Some(known) if known.codec.info.short_name.starts_with("pcm_") => {
                Ok(Codec::Integer(bits))
            }
            Some(known) => refused(known.codec.info.short_name),
            None => refused("of an unknown name"),
        },
    }
}

fn refused(path: &Path, error: Error) -> AudioError {
    match error {
        Error::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            AudioError::Io { path: path.to_owned(), source }
        }
        error => malformed(path, error.to_string()),
    }
}

/// A packet that cannot be decoded is damage; a disk that cannot be read is an error.
fn bad_packet(path: &Path, frame: u64, error: Error) -> Result<Piece, AudioError> {
    match error {
        Error::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Err(AudioError::Io { path: path.to_owned(), source })
        }
        error => Ok(Piece::Damaged(Damage::BadBlock { frame, what: error.to_string() })),
    }
}
