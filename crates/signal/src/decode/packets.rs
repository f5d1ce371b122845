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
            CodecParameters,
            audio::{
                AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
                well_known::{
                    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS,
                    CODEC_ID_VORBIS,
                },
            },
            registry::CodecRegistry,
        },
        errors::Error,
        formats::{FormatOptions, FormatReader, Track, TrackType},
        io::{MediaSourceStream, MediaSourceStreamOptions},
    },
    default::formats::{AdtsReader, CafReader, IsoMp4Reader, MkvReader, MpaReader, OggReader},
};

use super::{
    bytes::Input,
    caf,
    coding::Description,
    info::{AudioInfo, Codec, Container},
    layout::check_form,
    matroska, mp4,
    part::{Ending, Part},
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
    /// Why the sound ends where it does, where that is not its own end.
    ending: Option<Ending>,
}

impl PacketSource {
    /// Opens a container whose bytes lie at `place`, and decodes its first packet: rate and channels
    /// are what the decoder gives. The length is not known.
    pub(super) fn open(
        path: &Path,
        mut input: Box<dyn Input>,
        container: Container,
        place: Range<u64>,
    ) -> Result<(AudioInfo, Self), AudioError> {
        let description = Description::read(path, input.as_mut(), container, &place)?;
        let (part, ending) = match container {
            Container::Caf => caf::open(path, input, place)?,
            Container::Matroska => matroska::open(path, input, place)?,
            Container::Mp4 => mp4::open(path, input, place)?,
            _ => (Part::new(Vec::new(), input, place), None),
        };
        let media = MediaSourceStream::new(Box::new(part), MediaSourceStreamOptions::default());
        let (codec, mut source) =
            Self::begin(path, container, media).map_err(|refusal| match ending {
                Some(Ending::Cut(_)) if refusal.is_of_container() => {
                    malformed(path, "it is cut short in front of its sound")
                }
                _ => refusal.named(path, container, &description),
            })?;
        source.ending = ending;
        let (rate_hz, channels) = (source.rate_hz, source.channels);
        Ok((AudioInfo { rate_hz, channels, frames: u64::MAX, container, codec }, source))
    }

    /// A source at the beginning of a container, its first packet decoded.
    fn begin(
        path: &Path,
        container: Container,
        media: MediaSourceStream<'static>,
    ) -> Result<(Codec, Self), Refusal> {
        let reader = open_container(container, media).map_err(|error| refused(path, error))?;
        let of_sound =
            |track: &&Track| matches!(track.codec_params, Some(CodecParameters::Audio(_)));
        let tracks = reader.tracks().iter().filter(of_sound).count();
        if tracks > 1 {
            return Err(AudioError::SeveralTracks { path: path.to_owned(), tracks }.into());
        }
        let track = reader
            .default_track(TrackType::Audio)
            .ok_or(Refusal::Coding("it has no sound in it"))?;
        let id = track.id;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or(Refusal::Coding("its sound has no description"))?;
        let codec = codec_of(params)?;
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
            ending: None,
        };
        match source.decode_next(path)? {
            Piece::Frames => {}
            Piece::End => return Err(AudioError::Empty { path: path.to_owned() }.into()),
            Piece::Damaged(damage) => {
                return Err(AudioError::Damaged { path: path.to_owned(), damage }.into());
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
        let begun = Self::begin(path, self.container, media);
        let (_, source) = begun.map_err(|refusal| refusal.unnamed(path))?;
        Ok((frames, Self { ending: self.ending, ..source }))
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
                Ok(None) => return Ok(self.end_of_sound()),
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

    /// Behind the last packet.
    fn end_of_sound(&self) -> Piece {
        let frame = self.next_frame;
        self.ending.map_or(Piece::End, |ending| Piece::Damaged(ending.damage(frame)))
    }

    /// MPEG frames may end anywhere; a container that ends in the middle of a packet is cut. Of Matroska,
    /// whose writer need not know where it ends, that was found before.
    fn end(&self) -> Piece {
        match self.container {
            Container::Matroska => self.end_of_sound(),
            Container::Mp4 | Container::Caf => {
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

/// Why a container gives no sound.
enum Refusal {
    /// It holds a coding that is not decoded; what its reader found instead of sound.
    Coding(&'static str),
    Error(AudioError),
}

impl From<AudioError> for Refusal {
    fn from(error: AudioError) -> Self {
        Self::Error(error)
    }
}

impl Refusal {
    /// Whether the container's own parts are what is missing.
    fn is_of_container(&self) -> bool {
        match self {
            Self::Coding(what) => what.contains("missing") || what.starts_with("it has no sound"),
            Self::Error(error) => {
                matches!(error, AudioError::Malformed { .. } | AudioError::Empty { .. })
            }
        }
    }

    /// The error, with the name of the coding where the container says it.
    fn named(self, path: &Path, container: Container, description: &Description) -> AudioError {
        match (self, description.coding()) {
            (Self::Coding(_), Some(name)) => {
                let found = format!("{name} in {container}");
                unsupported(path, "the coding", found, "one that is decoded in such a file")
            }
            (refusal, _) => refusal.unnamed(path),
        }
    }

    fn unnamed(self, path: &Path) -> AudioError {
        match self {
            Self::Coding(what) => malformed(path, what),
            Self::Error(error) => error,
        }
    }
}

fn codec_of(params: &AudioCodecParameters) -> Result<Codec, Refusal> {
    let bits = params.bits_per_sample.unwrap_or(16) as u16;
    let known = || CODECS.get_audio_decoder(params.codec);
    match params.codec {
        CODEC_ID_VORBIS => Ok(Codec::Vorbis),
        CODEC_ID_MP3 => Ok(Codec::Mp3),
        CODEC_ID_AAC => Ok(Codec::Aac),
        CODEC_ID_FLAC => Ok(Codec::Flac(bits)),
        CODEC_ID_ALAC => Ok(Codec::Alac),
        CODEC_ID_OPUS if cfg!(feature = "opus") => Ok(Codec::Opus),
        _ => match known().map(|known| known.codec.info.short_name) {
            Some(name) if name.starts_with("pcm_f") => Ok(Codec::Float(bits)),
            Some(name) if name.ends_with("alaw") => Ok(Codec::ALaw),
            Some(name) if name.ends_with("mulaw") => Ok(Codec::MuLaw),
            Some(name) if name.starts_with("pcm_") => Ok(Codec::Integer(bits)),
            Some(_) | None => Err(Refusal::Coding("its sound has a coding without a name")),
        },
    }
}

fn refused(path: &Path, error: Error) -> Refusal {
    let error = match error {
        Error::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            AudioError::Io { path: path.to_owned(), source }
        }
        Error::IoError(_) => malformed(path, "its header is cut short"),
        // What the reader or the decoder was not made for, though the file may be whole.
        Error::Unsupported(what) => return Refusal::Coding(what),
        error => malformed(path, plain(&error)),
    };
    error.into()
}

/// A packet that cannot be decoded is damage; a disk that cannot be read is an error.
fn bad_packet(path: &Path, frame: u64, error: Error) -> Result<Piece, AudioError> {
    match error {
        Error::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Err(AudioError::Io { path: path.to_owned(), source })
        }
        error => Ok(Piece::Damaged(Damage::BadBlock { frame, what: plain(&error).to_owned() })),
    }
}

/// What a decoder found, in words of people.
fn plain(error: &Error) -> &'static str {
    match error {
        Error::IoError(_) => "it ends in the middle of a block",
        Error::LimitError(_) => "a block is larger than any sound needs",
        Error::Unsupported(_) => "a block is coded in a way that is not decoded here",
        _ => "a block contradicts the form that it is in",
    }
}
