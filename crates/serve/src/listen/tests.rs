//! A listener with a source that says what it is told to, and models that answer what they are told to.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, sync_channel},
};

use offkey_monitor::{
    Listening, Problem, Promise,
    watch::{self, Bookmarks, ManualClock},
};
use offkey_signal::{ChannelRule, Codec};

use super::*;

const SAMPLES: usize = 1000;
const RATE_HZ: u32 = 1000;

fn form(samples: usize) -> WindowRule {
    WindowRule { channel: ChannelRule::Mix, rate_hz: RATE_HZ, samples, hop: samples }
}

/// Says what stands here, and ends the listener after it.
struct Script {
    lines: VecDeque<Piece>,
    stop: Arc<AtomicBool>,
}

impl Source for Script {
    fn next(&mut self, _: &Bookmarks, _: Duration) -> Piece {
        self.lines.pop_front().unwrap_or_else(|| {
            self.stop.store(true, Ordering::Relaxed);
            Piece::Nothing
        })
    }
}

/// Answers every window alike; none: breaks down.
struct Always {
    form: WindowRule,
    verdict: Option<Verdict>,
}

impl Judge for Always {
    fn windows(&self) -> WindowRule {
        self.form
    }

    fn listening(&self) -> Listening {
        let codecs = vec![Codec::Integer(16)];
        Listening { windows: self.form, rates_hz: vec![self.form.rate_hz], codecs }
    }

    fn promise(&self) -> Option<Promise> {
        None
    }

    fn judge(&self, _start: u64, _window: &[f32]) -> Result<Judged, MonitorError> {
        let verdict = self.verdict.expect("a window that breaks this model");
        Ok(Judged { score: Some(1.0), p_value: Some(0.5), verdict, reason: "as told".to_owned() })
    }
}

fn always(samples: usize, verdict: Option<Verdict>) -> Arc<dyn Judge> {
    Arc::new(Always { form: form(samples), verdict })
}

/// Lets a listener hear the script, and gives what it told.
fn heard(
    lines: impl IntoIterator<Item = Piece>,
    judge: Option<Arc<dyn Judge>>,
    idle: Option<Arc<dyn Judge>>,
    ear: &Arc<Ear>,
) -> Vec<Message> {
    let stop = Arc::new(AtomicBool::new(false));
    let (to, told): (_, Receiver<Message>) = sync_channel(1000);
    let lines = lines.into_iter().collect();
    let listener = Listener {
        machine: "pump".to_owned(),
        source: Box::new(Script { lines, stop: Arc::clone(&stop) }),
        places: Places::default(),
        judge: Arc::new(RwLock::new(judge)),
        idle,
        to,
        clock: Arc::new(ManualClock::new(1_800_000_000_000)),
        ear: Arc::clone(ear),
        pictures: false,
        stop,
    };
    listener.run();
    told.into_iter().collect()
}

fn sound(seconds: usize) -> Piece {
    Piece::Sound(vec![0.1; seconds * SAMPLES])
}

fn begin() -> Piece {
    let stretch = watch::Stretch {
        place: String::new(),
        id: String::new(),
        name: String::new(),
        begun: None,
    };
    Piece::Begin { stretch, first_sample: 0 }
}

/// Answers and what was said of rest, window by window.
fn windows(told: Vec<Message>) -> Vec<(Verdict, Option<bool>)> {
    let window = |message| match message {
        Message::Window { heard, .. } => Some((heard.judged.verdict, heard.idle)),
        _ => None,
    };
    told.into_iter().filter_map(window).collect()
}

#[test]
fn a_model_of_the_machine_at_rest_that_breaks_down_leaves_the_listener_alive() {
    let own = || Some(always(SAMPLES, Some(Verdict::Normal)));
    let of = |idle| windows(heard([begin(), sound(2)], own(), Some(idle), &Arc::default()));
    assert_eq!(of(always(SAMPLES, None)), [(Verdict::Normal, None); 2]);
    let at_rest = always(SAMPLES, Some(Verdict::Normal));
    assert_eq!(of(at_rest), [(Verdict::Normal, Some(true)); 2]);
    let running = always(SAMPLES, Some(Verdict::Alarm));
    assert_eq!(of(running), [(Verdict::Normal, Some(false)); 2]);
    // Of windows of another length nothing is asked.
    let other = always(2 * SAMPLES, Some(Verdict::Normal));
    assert_eq!(of(other), [(Verdict::Normal, None); 2]);
}

#[test]
fn recorded_sound_of_before_a_gap_is_not_joined_with_sound_after_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ear: Arc<Ear> = Arc::default();
    ear.record(folder.path(), 100.0, 0).expect("nothing was recorded");
    let rate_hz = usual_form(None).rate_hz as usize;
    let sound = |level: f32| Piece::Sound(vec![level; 3 * rate_hz]);
    let lines = [
        begin(),
        sound(0.1),
        sound(0.1),
        Piece::Complete { mark: None },
        begin(),
        sound(0.2),
        sound(0.2),
        Piece::Lost { problem: Problem::Ended, reason: "the plug was pulled".to_owned() },
        sound(0.3),
        sound(0.3),
        Piece::Unread { message: "damaged".to_owned(), again: false },
        sound(0.4),
        sound(0.4),
        begin(),
        // What was gathered when the listener stops is kept as well.
        sound(0.5),
    ];
    heard(lines, None, None, &ear);
    let mut levels = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("recordings") {
        let config = offkey_signal::DecodeConfig::default();
        let wave = offkey_signal::decode(&entry.expect("a file").path(), &config).expect("sound");
        let tenths = wave.samples.iter().map(|sample| (10.0 * sample).round() as u32);
        let mut tenths: Vec<u32> = tenths.collect();
        tenths.dedup();
        levels.push(tenths);
    }
    levels.sort();
    assert_eq!(levels, [[1], [2], [3], [4], [5]]);
}

#[test]
fn a_coding_that_was_not_learned_from_is_told_once_and_stands_beside_every_odd_window() {
    let how = "it is coded as Vorbis, and the normal recordings as 16-bit";
    let differs = || Piece::Differs(how.to_owned());
    let lines = || [begin(), differs(), sound(2), begin(), differs(), sound(1)];
    let reasons = |verdict| {
        let judge = Some(always(SAMPLES, Some(verdict)));
        let (mut notes, mut reasons) = (Vec::new(), Vec::new());
        for message in heard(lines(), judge, None, &Arc::default()) {
            match message {
                Message::Differs { reason, .. } => notes.push(reason),
                Message::Window { heard, .. } => reasons.push(heard.judged.reason),
                _ => {}
            }
        }
        (notes, reasons)
    };
    let (notes, odd) = reasons(Verdict::Alarm);
    assert_eq!(notes, [format!("alarms may come from this: {how}")]);
    assert_eq!(odd, vec![format!("as told; {how}"); 3]);
    assert_eq!(reasons(Verdict::Normal).1, ["as told"; 3]);
}
