//! Numbers for Prometheus, in the `OpenMetrics` form.

use std::sync::{Mutex, PoisonError, atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::{
    judge::Judged,
    machine::MachineView,
    store::{StoreHealth, WindowAnswer},
};

type Value = Gauge<f64, AtomicU64>;

/// All numbers.
pub struct Metrics {
    registry: Mutex<Registry>,
    windows: Family<WindowLabels, Counter>,
    events: Family<EventLabels, Counter>,
    messages: Family<MessageLabels, Counter>,
    waiting: Family<SinkLabels, Gauge>,
    machines: MachineMetrics,
    model_ok: Family<MachineLabels, Gauge>,
    delay: Histogram,
    store_ok: Gauge,
    store_waiting: Gauge,
    store_dropped: Gauge,
    store_repairs: Gauge,
}

#[derive(Clone, Default)]
struct MachineMetrics {
    active: Family<MachineLabels, Gauge>,
    unacknowledged: Family<MachineLabels, Gauge>,
    source_up: Family<MachineLabels, Gauge>,
    score: Family<MachineLabels, Value>,
    p_value: Family<MachineLabels, Value>,
    level: Family<MachineLabels, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MachineLabels {
    machine: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WindowLabels {
    machine: String,
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    machine: String,
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    sink: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabels {
    sink: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("offkey");
        let metrics = Self {
            windows: Family::default(),
            events: Family::default(),
            messages: Family::default(),
            waiting: Family::default(),
            machines: MachineMetrics::default(),
            model_ok: Family::default(),
            delay: Histogram::new(exponential_buckets(0.05, 2.0, 12)),
            store_ok: Gauge::default(),
            store_waiting: Gauge::default(),
            store_dropped: Gauge::default(),
            store_repairs: Gauge::default(),
            registry: Mutex::new(Registry::default()),
        };
        metrics.store_ok.set(1);
        registry.register("windows", "Windows heard, by verdict", metrics.windows.clone());
        registry.register("events", "Events, by kind", metrics.events.clone());
        registry.register(
            "messages",
            "Messages that left the outbox, by outcome",
            metrics.messages.clone(),
        );
        registry.register(
            "outbox_waiting",
            "Messages that wait for a sink",
            metrics.waiting.clone(),
        );
        let machines = &metrics.machines;
        registry.register("alarm_active", "Whether an alarm is active", machines.active.clone());
        registry.register(
            "alarm_unacknowledged",
            "Whether an alarm waits for somebody",
            machines.unacknowledged.clone(),
        );
        registry.register(
            "source_up",
            "Whether the source brings the sound of its machine",
            machines.source_up.clone(),
        );
        registry.register(
            "model_ok",
            "Whether the machine has a model that can be used",
            metrics.model_ok.clone(),
        );
        registry.register("score", "Anomaly score of the latest window", machines.score.clone());
        registry.register("p_value", "p-value of the latest window", machines.p_value.clone());
        registry.register(
            "level_dbfs",
            "Level in decibels relative to full scale",
            machines.level.clone(),
        );
        registry.register(
            "window_delay_seconds",
            "Time from the end of a window to its verdict",
            metrics.delay.clone(),
        );
        registry.register("store_ok", "Whether the store can be written", metrics.store_ok.clone());
        registry.register(
            "store_waiting",
            "Operations that wait in memory for the store",
            metrics.store_waiting.clone(),
        );
        registry.register(
            "store_dropped",
            "Operations dropped since the start",
            metrics.store_dropped.clone(),
        );
        registry.register(
            "store_repairs",
            "Repairs of the store since the start",
            metrics.store_repairs.clone(),
        );
        Self { registry: Mutex::new(registry), ..metrics }
    }
}

impl Metrics {
    /// A window was judged, so many milliseconds after it ended.
    pub fn window(&self, machine: &str, judged: &Judged, answer: WindowAnswer, delay_ms: i64) {
        let labels = WindowLabels { machine: machine.to_owned(), verdict: verdict_name(answer) };
        self.windows.get_or_create(&labels).inc();
        self.delay.observe(delay_ms.max(0) as f64 / 1000.0);
        let labels = MachineLabels { machine: machine.to_owned() };
        if let Some(score) = judged.score {
            self.machines.score.get_or_create(&labels).set(score);
        }
        if let Some(p_value) = judged.p_value {
            self.machines.p_value.get_or_create(&labels).set(p_value);
        }
    }

    /// How loud a machine is.
    pub fn level(&self, machine: &str, level_db: f32) {
        let labels = MachineLabels { machine: machine.to_owned() };
        self.machines.level.get_or_create(&labels).set(f64::from(level_db));
    }

    /// A machine changed.
    pub fn machine(&self, view: &MachineView) {
        let labels = MachineLabels { machine: view.name.clone() };
        self.machines.active.get_or_create(&labels).set(i64::from(view.phase.is_active()));
        let waits = view.phase.is_unacknowledged();
        self.machines.unacknowledged.get_or_create(&labels).set(i64::from(waits));
        self.machines.source_up.get_or_create(&labels).set(i64::from(view.troubles.is_empty()));
    }

    /// Something happened.
    pub fn event(&self, machine: &str, kind: &str) {
        let labels = EventLabels { machine: machine.to_owned(), kind: kind.to_owned() };
        self.events.get_or_create(&labels).inc();
    }

    /// A message left the outbox.
    pub fn delivered(&self, sink: &str, outcome: &'static str) {
        self.messages.get_or_create(&MessageLabels { sink: sink.to_owned(), outcome }).inc();
    }

    /// How the store fares.
    pub fn store(&self, health: &StoreHealth) {
        self.store_ok.set(i64::from(health.trouble.is_none()));
        self.store_waiting.set(health.waiting.cast_signed() as i64);
        self.store_dropped.set((health.scores_dropped + health.others_dropped).cast_signed());
        self.store_repairs.set(health.repairs.len().cast_signed() as i64);
    }

    /// A machine is gone.
    pub fn forget(&self, machine: &str) {
        let labels = MachineLabels { machine: machine.to_owned() };
        let MachineMetrics { active, unacknowledged, source_up, score, p_value, level } =
            &self.machines;
        for family in [active, unacknowledged, source_up] {
            family.remove(&labels);
        }
        for family in [score, p_value, level] {
            family.remove(&labels);
        }
    }

    /// Everything as text; messages that wait are those counted in the store just now, and models are as they are now.
    ///
    /// # Errors
    /// [`std::fmt::Error`] when a number has no text.
    pub fn text(
        &self,
        waiting: &std::collections::BTreeMap<String, u64>,
        models: impl IntoIterator<Item = (String, bool)>,
    ) -> Result<String, std::fmt::Error> {
        self.model_ok.clear();
        for (machine, ok) in models {
            self.model_ok.get_or_create(&MachineLabels { machine }).set(i64::from(ok));
        }
        self.waiting.clear();
        for (sink, count) in waiting {
            let labels = SinkLabels { sink: sink.clone() };
            self.waiting.get_or_create(&labels).set(count.cast_signed());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

fn verdict_name(answer: WindowAnswer) -> &'static str {
    match answer {
        WindowAnswer::Normal => "normal",
        WindowAnswer::CannotTell => "cannot_tell",
        WindowAnswer::Suspicious => "suspicious",
        WindowAnswer::Alarm => "alarm",
        WindowAnswer::NotJudged => "not_judged",
    }
}
