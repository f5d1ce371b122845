//! Samples from bytes as they arrive: from a pipe, a growing file, a microphone.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use super::{
    bytes::{Bytes, Prefix, Stop},
    chunks::find_sound,
    config::DecodeConfig,
    info::{AudioInfo, Container},
    layout::{BadUnit, Layout},
    mono::Mono,
    reader::ClipReader,
    sniff::{Kind, sniff},
    sound::{AHEAD_BYTES, Behind, MOST_ZEROS, Size, Sound, find_recording},
    source::Source,
    traces,
};
use crate::{AudioError, Damage, Finding, PcmFormat, Resampler};

/// Bytes of a compressed recording that are kept until it has come whole.
const MOST_SPOOLED_BYTES: usize = 1 << 28;
/// Length of the header that betrays another recording, less a byte.
const OVERLAP_BYTES: usize = 15;

/// Turns bytes into mono samples of one rate. Any chunking gives the same samples, and the same as
/// [`ClipReader`] gives of a file of these bytes.
///
/// Uncompressed sound is given as it arrives. Compressed sound is kept until its end has come, and
/// decoded then.
pub struct StreamReader {
    name: PathBuf,
    raw: Option<PcmFormat>,
    config: DecodeConfig,
    /// Bytes that have not been used, and where they lie in the stream.
    pending: Vec<u8>,
    place: u64,
    /// Whether no more bytes come.
    ended: bool,
    state: State,
    damage: Option<Damage>,
}

enum State {
    /// The form is not known yet.
    Head,
    Sound(Box<Running>),
    /// Compressed sound, kept whole.
    Spool(Container),
    /// Nothing more is heard; what was known of it.
    Over(Option<(AudioInfo, Option<Finding>)>),
}

/// Sound that is being heard.
struct Running {
    sound: Sound,
    /// Bytes of sound still to come, where the header says so.
    left: Option<u64>,
    /// Stretches asked where 24 bits lie in 32.
    decisions: u32,
    mono: Mono,
    resampler: Resampler,
    given: bool,
    /// Zeros that came behind the announced end, and are silence if more sound comes.
    zeros: u64,
}

/// What became of pending bytes.
enum Step {
    /// Some were used; there may be more to use.
    Used,
    /// More have to come first.
    Wait,
    /// The sound is over.
    Over,
    Damaged(Damage),
}

impl StreamReader {
    /// A stream by the name `name`, as errors call it. Where its bytes are of no known form, they are
    /// raw samples of the form `raw`; without one, that is an error.
    pub fn new(name: &Path, raw: Option<PcmFormat>, config: &DecodeConfig) -> Self {
        Self {
            name: name.to_owned(),
            raw,
            config: *config,
            pending: Vec::new(),
            place: 0,
            ended: false,
            state: State::Head,
            damage: None,
        }
    }

    /// What is known of the stream, once its header has come.
    pub fn info(&self) -> Option<AudioInfo> {
        match &self.state {
            State::Sound(running) => Some(running.info()),
            State::Over(known) => known.as_ref().map(|(info, _)| *info),
            State::Head | State::Spool(_) => None,
        }
    }

    /// The form of a stream of which nothing is heard until its end has come, while it has not.
    pub fn waits_for_end(&self) -> Option<Container> {
        match self.state {
            State::Spool(form) => Some(form),
            State::Head | State::Sound(_) | State::Over(_) => None,
        }
    }

    /// What is wrong with the stream, as far as it has been heard.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// What the channel rule has lost so far: that the channels cancel each other.
    pub fn channel_finding(&self) -> Option<Finding> {
        match &self.state {
            State::Sound(running) => running.mono.finding(),
            State::Over(known) => known.as_ref().and_then(|(_, finding)| *finding),
            State::Head | State::Spool(_) => None,
        }
    }

    /// Takes bytes and appends the samples they complete.
    ///
    /// # Errors
    /// [`AudioError`] as of a file with these bytes. Before [`AudioError::Damaged`] every sample up to
    /// the damage is appended; nothing is heard behind it.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), AudioError> {
        if matches!(self.state, State::Over(_)) {
            return Ok(());
        }
        self.pending.extend_from_slice(bytes);
        self.advance(out)
    }

    /// Appends what is left when no more bytes come: the sound of a short or compressed recording,
    /// and what rate conversion holds back.
    ///
    /// # Errors
    /// As [`StreamReader::push`]; [`AudioError::Empty`] when nothing came.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.advance(out)
    }

    fn advance(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        loop {
            let step = match &mut self.state {
                State::Head => self.begin()?,
                State::Sound(running) => {
                    let (step, used) = running.step(&self.pending, self.place, self.ended, out);
                    self.pending.drain(..used);
                    self.place += used as u64;
                    step
                }
                State::Spool(_) => return self.spool(out),
                State::Over(_) => return Ok(()),
            };
            let damage = match step {
                Step::Used => continue,
                Step::Wait => return Ok(()),
                Step::Over => None,
                Step::Damaged(damage) => Some(damage),
            };
            return self.end(damage, out);
        }
    }

    /// Finds out the form of the stream.
    fn begin(&mut self) -> Result<Step, AudioError> {
        let mut prefix = Prefix { bytes: &self.pending, ended: self.ended };
        let sound = match sniff(&self.name, &mut prefix) {
            Ok(Kind::Family(family)) => find_sound(&self.name, &mut prefix, family),
            Ok(kind @ (Kind::Flac(_) | Kind::Packets(..))) => {
                let form = if let Kind::Packets(form, _) = kind { form } else { Container::Flac };
                self.state = State::Spool(form);
                return Ok(Step::Used);
            }
            Ok(Kind::Foreign(foreign)) => Err(foreign.refused(&self.name).into()),
            Ok(Kind::Unknown) => self.raw_sound(),
            Err(stop) => Err(stop),
        };
        let sound = match sound {
            Ok(sound) if sound.start > self.pending.len() as u64 && !self.ended => {
                return Ok(Step::Wait);
            }
            Ok(sound) => sound,
            Err(Stop::More) => return Ok(Step::Wait),
            Err(Stop::Failed(error)) => return Err(self.fail(error)),
        };
        match Running::new(&self.name, sound, &self.config) {
            Ok(running) => {
                let start = usize::try_from(sound.start).unwrap_or(usize::MAX);
                self.pending.drain(..start.min(self.pending.len()));
                self.place = sound.start;
                self.state = State::Sound(Box::new(running));
                Ok(Step::Used)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Sound without a header, unless its bytes betray that there was one.
    fn raw_sound(&self) -> Result<Sound, Stop> {
        let path = &self.name;
        let Some(raw) = self.raw else {
            let head = &self.pending[..self.pending.len().min(12)];
            let found = head.escape_ascii().to_string();
            return Err(AudioError::UnknownFormat { path: path.clone(), found }.into());
        };
        let layout = Layout::of_raw(path, raw)?;
        let mut prefix = Prefix { bytes: &self.pending, ended: self.ended };
        let mut head = [0; traces::HEAD_BYTES];
        let found = prefix.read_at(0, &mut head)?;
        if let Some(what) = traces::not_raw(&head[..found]) {
            return Err(AudioError::NotRaw { path: path.clone(), what }.into());
        }
        Ok(Sound {
            container: Container::Raw,
            layout,
            start: 0,
            size: Size::Open,
            outer_end: 0,
            stated_frames: None,
        })
    }

    /// Nothing is heard after an error.
    fn fail(&mut self, error: AudioError) -> AudioError {
        self.state = State::Over(None);
        self.pending = Vec::new();
        error
    }

    /// Gives what the converter holds back, and says what was wrong.
    fn end(&mut self, damage: Option<Damage>, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let State::Sound(running) = &mut self.state else { return Ok(()) };
        let mut rest = Vec::new();
        running.mono.finish(&mut rest);
        running.given |= !rest.is_empty();
        running.resampler.push(&rest, out);
        running.resampler.finish(out);
        let (info, finding, given) = (running.info(), running.mono.finding(), running.given);
        self.state = State::Over(Some((info, finding)));
        self.pending = Vec::new();
        self.damage = damage;
        let path = self.name.clone();
        match &self.damage {
            Some(damage) => Err(AudioError::Damaged { path, damage: damage.clone() }),
            None if !given => Err(AudioError::Empty { path }),
            None => Ok(()),
        }
    }

    /// Decodes a compressed recording once it is whole.
    fn spool(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.pending.len() > MOST_SPOOLED_BYTES {
            let path = self.name.clone();
            return Err(self.fail(AudioError::Endless { path, most_bytes: MOST_SPOOLED_BYTES }));
        }
        if !self.ended {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.pending);
        self.state = State::Over(None);
        let source = Source::open(&self.name, Box::new(Cursor::new(bytes)))?;
        let mut reader = ClipReader::new(source, &self.config, 0)?;
        let begin = out.len();
        let read = loop {
            match reader.read_block(out) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let info = AudioInfo { frames: reader.frames_read(), ..*reader.info() };
        self.state = State::Over(Some((info, reader.channel_finding())));
        self.damage = reader.damage().cloned();
        if read.is_ok() && out.len() == begin {
            return Err(AudioError::Empty { path: self.name.clone() });
        }
        read
    }
}

impl Running {
    fn new(path: &Path, sound: Sound, config: &DecodeConfig) -> Result<Self, AudioError> {
        let layout = sound.layout;
        config.channel.check(path, layout.channels)?;
        let (from_hz, to_hz) = (layout.rate_hz, config.rate_hz.unwrap_or(layout.rate_hz));
        let resampler = Resampler::new(from_hz, to_hz).map_err(|_| AudioError::Rate {
            path: path.to_owned(),
            from_hz,
            to_hz,
        })?;
        let mono = Mono::new(config.channel, layout.channels, layout.rate_hz, 0);
        let left = sound.size.bytes();
        Ok(Self { sound, left, decisions: 0, mono, resampler, given: false, zeros: 0 })
    }

    fn info(&self) -> AudioInfo {
        let layout = &self.sound.layout;
        AudioInfo {
            rate_hz: layout.rate_hz,
            channels: layout.channels,
            frames: self.mono.frame(),
            container: self.sound.container,
            codec: layout.codec(),
        }
    }

    /// Uses some of the pending bytes, which lie at `place`; returns how many.
    fn step(
        &mut self,
        pending: &[u8],
        place: u64,
        ended: bool,
        out: &mut Vec<f32>,
    ) -> (Step, usize) {
        let unit_bytes = self.sound.layout.unit_bytes;
        let Some(left) = self.left else { return self.open_step(pending, ended, out) };
        if left > pending.len() as u64 {
            if ended && pending.len() < unit_bytes {
                let missing = self.sound.missing(place + pending.len() as u64);
                return (missing.map_or(Step::Over, Step::Damaged), 0);
            }
            return self.give(pending, out, !ended);
        }
        let (sound, rest) = pending.split_at(left as usize);
        let mut lead = 0;
        if self.zeros > 0 {
            // The first byte that is not zero tells what the zeros were.
            lead = rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len());
            let whole = lead / unit_bytes * unit_bytes;
            if self.zeros + lead as u64 >= MOST_ZEROS {
                self.left = None;
                self.give_zeros(out);
                return (Step::Used, 0);
            }
            if whole > 0 {
                self.zeros += whole as u64;
                return (Step::Used, whole);
            }
        }
        let ahead = &rest[lead..];
        if ahead.len() < AHEAD_BYTES && !ended {
            // The last block is filled up, if no more sound comes.
            let held = if self.sound.stated_frames.is_some() { unit_bytes } else { 0 };
            return self.give(&sound[..sound.len().saturating_sub(held)], out, true);
        }
        let ahead = &ahead[..ahead.len().min(AHEAD_BYTES)];
        match self.sound.behind(place + left + lead as u64, ahead) {
            Behind::MoreSound => {
                self.left = None;
                self.sound.stated_frames = None;
                self.give_zeros(out);
                (Step::Used, 0)
            }
            _ if sound.len() >= unit_bytes => self.give(sound, out, false),
            Behind::Zeros if self.sound.may_go_on() => {
                let whole = AHEAD_BYTES / unit_bytes * unit_bytes;
                self.zeros += whole as u64;
                (Step::Used, whole)
            }
            Behind::Nothing | Behind::Zeros => (Step::Over, 0),
            Behind::AnotherRecording => (self.another(), 0),
        }
    }

    /// Gives the zeros that turned out to be silence.
    fn give_zeros(&mut self, out: &mut Vec<f32>) {
        let unit_bytes = self.sound.layout.unit_bytes as u64;
        let most = (1 << 16) / unit_bytes * unit_bytes;
        let block = vec![0; most.max(unit_bytes) as usize];
        while self.zeros >= unit_bytes {
            let bytes = self.zeros.min(block.len() as u64) as usize;
            let (_, used) = self.give(&block[..bytes], out, false);
            self.zeros -= used as u64;
        }
    }

    /// As [`Running::step`], of sound that goes on until the bytes end.
    fn open_step(&mut self, pending: &[u8], ended: bool, out: &mut Vec<f32>) -> (Step, usize) {
        let unit_bytes = self.sound.layout.unit_bytes;
        match find_recording(pending) {
            Some(at) if at < unit_bytes => (self.another(), 0),
            Some(at) => self.give(&pending[..at], out, false),
            None if !ended => {
                let sure = pending.len().saturating_sub(OVERLAP_BYTES);
                self.give(&pending[..sure], out, true)
            }
            None if pending.len() < unit_bytes => (Step::Over, 0),
            None => self.give(pending, out, false),
        }
    }

    fn another(&self) -> Step {
        Step::Damaged(Damage::AnotherRecording { frame: self.mono.frame() })
    }

    /// Gives the whole frames of `bytes`. `more` says that more sound will come.
    fn give(&mut self, bytes: &[u8], out: &mut Vec<f32>, more: bool) -> (Step, usize) {
        let layout = &mut self.sound.layout;
        let mut bytes = bytes;
        if layout.which_24 {
            let stretch = layout.decision_bytes();
            if bytes.len() < stretch && more {
                return (Step::Wait, 0);
            }
            bytes = &bytes[..bytes.len().min(stretch)];
            self.decisions += 1;
            layout.decide(bytes, self.decisions);
        }
        let whole = bytes.len() / layout.unit_bytes * layout.unit_bytes;
        if whole == 0 {
            return (Step::Wait, 0);
        }
        let (mut frames, mut mono) = (Vec::new(), Vec::new());
        let bad = layout.append(&bytes[..whole], &mut frames).err();
        if let Some(stated) = self.sound.stated_frames {
            let left =
                stated.saturating_sub(self.mono.frame()).saturating_mul(layout.channels.into());
            frames.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let damage = self.mono.push(&frames, &mut mono);
        let bad_block = |BadUnit { what, .. }| Damage::BadBlock { frame: self.mono.frame(), what };
        let damage = damage.or(bad.map(bad_block));
        self.given |= !mono.is_empty();
        self.resampler.push(&mono, out);
        if let Some(left) = &mut self.left {
            *left -= whole as u64;
        }
        (damage.map_or(Step::Used, Step::Damaged), whole)
    }
}
