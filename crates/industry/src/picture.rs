//! What control systems are shown of every machine: plain values, taken at one moment.

use std::fmt;

/// Where the alarm of a machine stands, after ISA-18.2. The numbers are part of the interface: they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum AlarmState {
    /// No alarm.
    Normal = 0,
    /// The machine sounds wrong; nobody has acknowledged it.
    ActiveUnacknowledged = 1,
    /// The machine sounds wrong; somebody has acknowledged it.
    ActiveAcknowledged = 2,
    /// The machine sounds normal again; nobody has acknowledged the alarm.
    ReturnedUnacknowledged = 3,
    /// As 3, and a reset is needed as well.
    LatchedUnacknowledged = 4,
    /// The machine sounds normal again and the alarm is acknowledged; a reset is needed.
    LatchedAcknowledged = 5,
    /// A person shelved the alarm for a time.
    Shelved = 6,
    /// The schedule suppresses the alarm.
    Suppressed = 7,
    /// The service does not know yet.
    Unknown = 255,
}

impl AlarmState {
    /// Every state, in the order of the numbers.
    pub const ALL: [Self; 9] = [
        Self::Normal,
        Self::ActiveUnacknowledged,
        Self::ActiveAcknowledged,
        Self::ReturnedUnacknowledged,
        Self::LatchedUnacknowledged,
        Self::LatchedAcknowledged,
        Self::Shelved,
        Self::Suppressed,
        Self::Unknown,
    ];

    /// The number that control systems see.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The name, as other doors of the service write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ActiveUnacknowledged => "active_unacknowledged",
            Self::ActiveAcknowledged => "active_acknowledged",
            Self::ReturnedUnacknowledged => "returned_unacknowledged",
            Self::LatchedUnacknowledged => "latched_unacknowledged",
            Self::LatchedAcknowledged => "latched_acknowledged",
            Self::Shelved => "shelved",
            Self::Suppressed => "suppressed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the machine sounds wrong and the alarm is not hidden.
    pub fn is_active(self) -> bool {
        matches!(self, Self::ActiveUnacknowledged | Self::ActiveAcknowledged)
    }

    /// Whether somebody still has to acknowledge the alarm.
    pub fn is_unacknowledged(self) -> bool {
        matches!(
            self,
            Self::ActiveUnacknowledged | Self::ReturnedUnacknowledged | Self::LatchedUnacknowledged
        )
    }

    /// Whether a person or the schedule hides the alarm.
    pub fn is_hidden(self) -> bool {
        matches!(self, Self::Shelved | Self::Suppressed)
    }
}

/// What is wrong with the source of a machine's sound. The numbers are bits of one register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Troubles(u16);

impl Troubles {
    /// No sound comes.
    pub const STALLED: Self = Self(1);
    /// The source ended or cannot be read.
    pub const ENDED: Self = Self(2);
    /// Only digital silence comes.
    pub const SILENT: Self = Self(4);
    /// Most loud samples are cut off.
    pub const CLIPPED: Self = Self(8);
    /// The sound is not that of this machine through its microphone.
    pub const OTHER_MICROPHONE: Self = Self(16);

    /// The bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether the source brings the sound of its machine.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether no sound comes, for whatever reason.
    pub fn is_stalled(self) -> bool {
        self.0 & (Self::STALLED.0 | Self::ENDED.0) != 0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The name of an event, `MACHINE.BORN.NUMBER`, as numbers: the service's events count upward from when the
/// machine's record began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventNumber {
    /// When the record of the machine began, in milliseconds since 1970.
    pub born_ms: u64,
    /// Number of the event since then, from 1.
    pub number: u64,
}

impl EventNumber {
    /// The numbers in an event's name; none where the name has another form.
    pub fn of(id: &str) -> Option<Self> {
        let mut parts = id.rsplit('.');
        let number = parts.next()?.parse().ok()?;
        let born_ms = u64::from_str_radix(parts.next()?, 16).ok()?;
        parts.next().map(|_| Self { born_ms, number })
    }
}

/// One machine at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct MachinePicture {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The moment, in milliseconds since 1970.
    pub at_ms: i64,
    /// Where its alarm stands.
    pub state: AlarmState,
    /// When that state began.
    pub since_ms: i64,
    /// Number of its latest alarm; 0 before the first.
    pub alarm: u64,
    /// Whether it runs, and is judged.
    pub running: bool,
    /// What is wrong with its source.
    pub troubles: Troubles,
    /// Score of the latest window.
    pub score: Option<f64>,
    /// p-value of the latest window.
    pub p_value: Option<f64>,
    /// Level of the latest window in decibels relative to full scale.
    pub level_db: Option<f64>,
    /// When the latest window began.
    pub window_ms: Option<i64>,
    /// How often the present alarm began since somebody last acknowledged it.
    pub unacknowledged: u32,
    /// Name of the latest event.
    pub event: Option<String>,
    /// Why it alarms.
    pub reason: Option<String>,
}

impl MachinePicture {
    /// A machine that nothing is known of yet.
    pub fn unknown(name: &str, title: &str, at_ms: i64) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            at_ms,
            state: AlarmState::Unknown,
            since_ms: 0,
            alarm: 0,
            running: false,
            troubles: Troubles::default(),
            score: None,
            p_value: None,
            level_db: None,
            window_ms: None,
            unacknowledged: 0,
            event: None,
            reason: None,
        }
    }

    /// Seconds since the latest window began.
    pub fn window_age_s(&self) -> Option<u32> {
        let age_ms = self.at_ms.saturating_sub(self.window_ms?).max(0);
        Some(u32::try_from(age_ms / 1000).unwrap_or(u32::MAX - 1))
    }

    /// The numbers of the latest event; zeros where there was none.
    pub fn event_number(&self) -> EventNumber {
        self.event.as_deref().and_then(EventNumber::of).unwrap_or_default()
    }
}

/// All machines at one moment, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plant {
    /// The moment, in milliseconds since 1970.
    pub at_ms: i64,
    /// Rises with every picture: whoever sees it stand still looks at a service that hangs.
    pub beat: u64,
    /// The machines.
    pub machines: Vec<MachinePicture>,
}

impl Plant {
    /// How many machines are such.
    pub fn count(&self, such: impl Fn(&MachinePicture) -> bool) -> u16 {
        let count = self.machines.iter().filter(|machine| such(machine)).count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a machine's events say of its alarm: the latest one, and what waits for acknowledgement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventTally {
    latest: Option<(EventNumber, String)>,
    waiting: u32,
}

impl EventTally {
    /// Takes in an event; they have to come in the order in which they happened.
    pub fn take(&mut self, id: &str, kind: &str) {
        let number = EventNumber::of(id).unwrap_or_default();
        if self.latest.as_ref().is_some_and(|(latest, _)| number <= *latest) {
            // Told twice: once by the store and once as it happened.
            return;
        }
        self.latest = Some((number, id.to_owned()));
        match kind {
            "alarm.began" | "alarm.again" => self.waiting = self.waiting.saturating_add(1),
            "alarm.acknowledged" | "alarm.cleared" | "alarm.shelved" | "alarm.suppressed" => {
                self.waiting = 0;
            }
            _ => {}
        }
    }

    /// Name of the latest event.
    pub fn latest(&self) -> Option<&str> {
        self.latest.as_ref().map(|(_, id)| id.as_str())
    }

    /// How often the alarm began since somebody acknowledged it, where it is in such a state. An alarm that
    /// waits was begun at least once, also where its event is no longer kept.
    pub fn waiting(&self, state: AlarmState) -> u32 {
        if state.is_unacknowledged() { self.waiting.max(1) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_states_are_those_of_the_documentation() {
        let numbers = AlarmState::ALL.map(AlarmState::number);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 255]);
        for state in AlarmState::ALL {
            assert_eq!(state.is_unacknowledged(), [1, 3, 4].contains(&state.number()), "{state}");
            assert_eq!(state.is_active(), [1, 2].contains(&state.number()), "{state}");
        }
    }

    #[test]
    fn the_name_of_an_event_has_its_numbers() {
        let number = EventNumber::of("pump-2.19abc0.12");
        assert_eq!(number, Some(EventNumber { born_ms: 0x0019_abc0, number: 12 }));
        for other in ["", "12", "19abc.12", "pump.xyz.1", "pump.1.x"] {
            assert_eq!(EventNumber::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_waits_is_counted_from_the_last_acknowledgement() {
        let mut tally = EventTally::default();
        let unacknowledged = AlarmState::ActiveUnacknowledged;
        assert_eq!((tally.latest(), tally.waiting(AlarmState::Normal)), (None, 0));
        let story = [
            ("alarm.began", 1),
            ("source.stalled", 1),
            ("alarm.returned", 1),
            ("alarm.again", 2),
            ("alarm.acknowledged", 1),
            ("alarm.again", 1),
            ("alarm.again", 2),
        ];
        for (index, (kind, waiting)) in story.into_iter().enumerate() {
            let id = format!("pump.1f.{}", index + 1);
            tally.take(&id, kind);
            tally.take(&id, kind);
            assert_eq!(tally.waiting(unacknowledged), waiting, "{kind} {index}");
            assert_eq!(tally.latest(), Some(id.as_str()));
        }
        assert_eq!(tally.waiting(AlarmState::ActiveAcknowledged), 0);
    }

    #[test]
    fn sound_that_does_not_come_is_not_sound_that_is_bad() {
        assert!(Troubles::default().is_none());
        let both = Troubles::SILENT.and(Troubles::OTHER_MICROPHONE);
        assert_eq!((both.bits(), both.is_stalled()), (20, false));
        assert!(both.and(Troubles::ENDED).is_stalled() && Troubles::STALLED.is_stalled());
    }

    #[test]
    fn the_age_of_a_window_is_never_negative() {
        let mut machine = MachinePicture::unknown("pump", "Pump", 10_000);
        assert_eq!(machine.window_age_s(), None);
        for (window_ms, age_s) in [(9_000, 1), (20_000, 0), (i64::MIN, u32::MAX - 1)] {
            machine.window_ms = Some(window_ms);
            assert_eq!(machine.window_age_s(), Some(age_s));
        }
    }
}
