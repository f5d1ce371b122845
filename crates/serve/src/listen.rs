//! One machine being heard: a source gives sound, sound becomes windows, windows are judged. Runs in a
//! thread of its own and tells the recorder; it decides nothing.

use std::{
    collections::BTreeSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, LazyLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::Duration,
};

use offkey_monitor::{
    Listening, MonitorError, Verdict, WindowRule, Windower,
    watch::{Clock, Piece, Source},
};

use crate::{
    ear::Ear,
    engine::{HeardWindow, Message, PictureColumn},
    judge::{Judge, Judged, other_windows},
    liveness::SoundStats,
    source::{Places, usual_form},
    spectrum,
};

/// A model that can be exchanged while it is used.
pub type SharedJudge = Arc<RwLock<Option<Arc<dyn Judge>>>>;

/// Everything a listener needs.
pub struct Listener {
    /// The machine.
    pub machine: String,
    /// Where its sound comes from.
    pub source: Box<dyn Source>,
    /// How far that was heard.
    pub places: Places,
    /// Its model; none while there is none.
    pub judge: SharedJudge,
    /// A model of the machine at rest.
    pub idle: Option<Arc<dyn Judge>>,
    /// Who is told.
    pub to: SyncSender<Message>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What pages ask for.
    pub ear: Arc<Ear>,
    /// Whether pictures of its sound are kept.
    pub pictures: bool,
    /// Whether to stop.
    pub stop: Arc<AtomicBool>,
}

/// How long a source may wait before it says that it has nothing.
const WAIT: Duration = Duration::from_millis(100);
/// Sound is measured in pieces of this length.
const PIECE_MS: u64 = 250;

/// A stretch of sound being heard.
struct Stretch {
    form: WindowRule,
    windower: Windower,
    /// Tells it apart from others.
    id: String,
    /// Samples read of the stretch.
    heard: u64,
    /// Samples that were handed on before, where the stretch goes on: they are not kept, measured or shown again.
    given: u64,
    /// Samples that were judged before a restart.
    skip: u64,
    /// When the stretch began, where its source knows.
    start_ms: Option<i64>,
    /// Samples that no window has taken along yet.
    fresh: Vec<f32>,
    /// Samples that have not been measured yet.
    unmeasured: Vec<f32>,
    /// How it differs from that.
    differs: Option<String>,
}

/// The model in use at present, and what it listens to.
struct Present {
    judge: Option<Arc<dyn Judge>>,
    listening: Listening,
}

impl Present {
    fn without_model(rate_hz: Option<u32>) -> Self {
        Self { judge: None, listening: Listening::of_any(usual_form(rate_hz)) }
    }
}

impl Listener {
    /// Listens until it is stopped or nobody listens to it any more.
    pub fn run(mut self) {
        let mut stretch: Option<Stretch> = None;
        let mut present = Present::without_model(self.source.rate_hz());
        let mut told = BTreeSet::new();
        while !self.stop.load(Ordering::Relaxed) {
            self.look_at_model(&mut present);
            let Present { judge, listening } = &present;
            let form = listening.windows;
            if let Some(now) = &mut stretch
                && now.form != form
            {
                // Another model hears in other windows, from where this one had judged to.
                self.places.go_on(now.form.rate_hz, form.rate_hz);
                self.cut();
                stretch = None;
            }
            self.source.listen(listening);
            if judge.is_none() && self.source.waits() && self.ear.left_s().is_none() {
                std::thread::sleep(WAIT);
                continue;
            }
            // A decoder that panics must not take the machine's ears for good.
            let next = || self.source.next(self.places.bookmarks(), WAIT);
            let piece = catch_unwind(AssertUnwindSafe(next))
                .unwrap_or_else(|panic| self.source.broke(&said(panic.as_ref())));
            let told_all = match piece {
                Piece::Nothing | Piece::End => true,
                Piece::Begin { stretch: begun, .. } => {
                    self.cut();
                    let id = begun.id.clone();
                    let given = stretch.as_ref().map_or(0, |before| before.given_of(&id, form));
                    let from = self.places.begin(begun);
                    let mut next = Stretch::new(form, from, self.source.begun_ms());
                    (next.id, next.given) = (id, given.max(from));
                    stretch = Some(next);
                    true
                }
                Piece::Sound(samples) => {
                    let now = stretch.get_or_insert_with(|| Stretch::new(form, 0, None));
                    self.hear(now, &samples, judge.as_deref())
                }
                Piece::Differs(how) => {
                    let is_news = told.insert(how.clone());
                    let reason = format!("alarms may come from this: {how}");
                    if let Some(now) = &mut stretch {
                        now.differs = Some(how.clone());
                    }
                    let machine = self.machine.clone();
                    !is_news || self.tell(Message::Differs { machine, reason })
                }
                Piece::Complete { mark } => {
                    let position = self.places.complete(mark);
                    self.tell(Message::Position { machine: self.machine.clone(), position })
                }
                Piece::Gone(places) => {
                    self.places.gone(places);
                    true
                }
                Piece::Lost { reason, .. } => {
                    self.cut();
                    let machine = self.machine.clone();
                    self.tell(Message::Source { machine, ended: Some(reason) })
                }
                Piece::Back { .. } => {
                    self.tell(Message::Source { machine: self.machine.clone(), ended: None })
                }
                Piece::Unread { message, again } => {
                    self.cut();
                    let machine = self.machine.clone();
                    let is_news = self.places.is_news(&message, again);
                    !is_news || self.tell(Message::LeftOut { machine, reason: message })
                }
            };
            if !told_all {
                break;
            }
        }
        self.cut();
    }

    /// What comes next does not follow on what was heard.
    fn cut(&self) {
        self.recorded(self.ear.cut(self.clock.now().unix_ms));
    }

    fn recorded(&self, recorded: io::Result<()>) {
        if let Err(error) = recorded {
            tracing::error!("normal sound of `{}` is not recorded: {error}", self.machine);
        }
    }

    /// Sees whether another model is in use.
    fn look_at_model(&self, present: &mut Present) {
        let judge = self.judge.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(judge) = judge else {
            *present = Present::without_model(self.source.rate_hz());
            return;
        };
        if present.judge.as_ref().is_some_and(|known| Arc::ptr_eq(known, &judge)) {
            return;
        }
        let listening = judge.listening();
        let windows = listening.windows;
        let why = self.idle.as_ref().and_then(|idle| other_windows(idle.windows(), windows));
        if let Some(why) = why {
            tracing::error!("whether `{}` is at rest is not known: {why}", self.machine);
        }
        *present = Present { judge: Some(judge), listening };
    }

    fn tell(&self, message: Message) -> bool {
        self.to.send(message).is_ok()
    }

    fn hear(&mut self, stretch: &mut Stretch, samples: &[f32], judge: Option<&dyn Judge>) -> bool {
        let rate_hz = stretch.form.rate_hz;
        let given = stretch.given.saturating_sub(stretch.heard).min(samples.len() as u64);
        let new = &samples[given as usize..];
        self.recorded(self.ear.hear(new, rate_hz, self.clock.now().unix_ms));
        stretch.fresh.extend_from_slice(new);
        stretch.unmeasured.extend_from_slice(new);
        let piece = (u64::from(rate_hz) * PIECE_MS / 1000).max(1) as usize;
        if stretch.unmeasured.len() >= piece {
            let stats = SoundStats::of(&stretch.unmeasured, rate_hz);
            let looked_at = self.pictures || self.ear.is_looked_at();
            let picture = looked_at.then(|| PictureColumn {
                bands: spectrum::bands(&stretch.unmeasured, rate_hz),
                rate_hz,
                ends_ms: match stretch.start_ms {
                    Some(start_ms) => {
                        let heard = stretch.heard + samples.len() as u64;
                        start_ms + (1000 * heard / u64::from(rate_hz)).cast_signed()
                    }
                    None => self.clock.now().unix_ms,
                },
            });
            stretch.unmeasured.clear();
            let machine = self.machine.clone();
            if !self.tell(Message::Sound { machine, stats, picture }) {
                return false;
            }
        }
        stretch.heard += samples.len() as u64;
        let passed = stretch.skip.min(samples.len() as u64);
        stretch.skip -= passed;
        let mut windows = Vec::new();
        let Ok(()) = stretch.windower.push(&samples[passed as usize..], |start, window| {
            windows.push((start, window.to_vec()));
            Ok::<(), std::convert::Infallible>(())
        });
        // The last sample came now: judging takes its time after that.
        let arrived_ms = self.clock.now().unix_ms;
        for (start, window) in windows {
            if !self.judge_window(stretch, start, &window, judge, arrived_ms) {
                return false;
            }
        }
        // Without windows nothing takes the sound along; it must not pile up.
        let most = stretch.form.samples + stretch.form.hop + samples.len();
        if stretch.fresh.len() > 2 * most {
            stretch.fresh.drain(..most);
        }
        true
    }

    fn judge_window(
        &mut self,
        stretch: &mut Stretch,
        start: u64,
        window: &[f32],
        judge: Option<&dyn Judge>,
        arrived_ms: i64,
    ) -> bool {
        let Some(judge) = judge else { return true };
        let form = stretch.form;
        let mut judged = guarded(judge, start, window).unwrap_or_else(|reason| Judged {
            score: None,
            p_value: None,
            verdict: Verdict::CannotTell,
            reason,
        });
        if judged.verdict != Verdict::Normal
            && let Some(how) = &stretch.differs
        {
            judged.reason += &format!("; {how}");
        }
        let fitting =
            self.idle.as_ref().filter(|idle| other_windows(idle.windows(), form).is_none());
        let idle = fitting.and_then(|idle| {
            let judged = guarded(idle.as_ref(), start, window);
            let judged = judged.inspect_err(|why| {
                tracing::debug!("whether `{}` is at rest is not known: {why}", self.machine);
            });
            Some(judged.ok()?.verdict == Verdict::Normal)
        });
        let trial = self.ear.trial();
        let trial = trial.filter(|trial| other_windows(trial.judge.windows(), form).is_none());
        let beside = trial.and_then(|trial| {
            let judged = guarded(trial.judge.as_ref(), start, window);
            let judged = judged.inspect_err(|why| {
                tracing::debug!("`{}` cannot judge for `{}`: {why}", trial.model, self.machine);
            });
            Some((trial.model.clone(), judged.ok()?))
        });
        let to_ms = |samples: u64| (1000 * samples / u64::from(form.rate_hz)).cast_signed();
        let at_ms = match stretch.start_ms {
            Some(start_ms) => start_ms + to_ms(start),
            None => arrived_ms - to_ms(stretch.heard.saturating_sub(start)),
        };
        let next = start + form.hop as u64;
        let heard = HeardWindow {
            judged,
            at_ms,
            ends_ms: at_ms + to_ms(form.samples as u64),
            level_db: f64::from(SoundStats::of(window, form.rate_hz).level_db),
            beside,
            idle,
            position: self.places.judged(next),
            sound: std::mem::take(&mut stretch.fresh),
            rate_hz: form.rate_hz,
            hop_ms: to_ms(form.hop as u64).unsigned_abs(),
        };
        self.tell(Message::Window { machine: self.machine.clone(), heard: Box::new(heard) })
    }
}

/// What a model says of a window; a model that breaks down does not take the listener with it.
fn guarded(judge: &dyn Judge, start: u64, window: &[f32]) -> Result<Judged, String> {
    match catch_unwind(AssertUnwindSafe(|| judge_in_pool(judge, start, window))) {
        Ok(judged) => judged.map_err(|error| offkey_core::with_causes(&error)),
        Err(panic) => Err(format!("judging broke down: {}", said(panic.as_ref()))),
    }
}

/// Judges where all machines are judged: as many threads as the computer has cores. What a model needs for
/// its work belongs to the thread, so a thread per machine would hold that once per machine.
fn judge_in_pool(judge: &dyn Judge, start: u64, window: &[f32]) -> Result<Judged, MonitorError> {
    static POOL: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
        let named = rayon::ThreadPoolBuilder::new().thread_name(|index| format!("judge {index}"));
        named.build().inspect_err(|error| tracing::warn!("no threads to judge in: {error}")).ok()
    });
    match POOL.as_ref() {
        Some(pool) => pool.install(|| judge.judge(start, window)),
        None => judge.judge(start, window),
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl Stretch {
    fn new(form: WindowRule, from: u64, start_ms: Option<i64>) -> Self {
        Self {
            form,
            windower: Windower::new(form, from),
            id: String::new(),
            heard: 0,
            given: from,
            skip: from,
            start_ms,
            fresh: Vec::new(),
            unmeasured: Vec::new(),
            differs: None,
        }
    }

    /// Samples of the stretch of this name that were handed on by now, at the rate of that form.
    fn given_of(&self, id: &str, form: WindowRule) -> u64 {
        let same = !id.is_empty() && self.id == id && self.form.rate_hz == form.rate_hz;
        if same { self.heard.max(self.given) } else { 0 }
    }
}

#[cfg(test)]
mod tests;
