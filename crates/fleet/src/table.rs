//! All computers in one table: the worst first, and how many use which model.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use crate::health::{Health, LONGEST, MachineHealth, node_of};

/// All computers that said how they fare.
pub struct Table {
    prefix: String,
    most: usize,
    rows: BTreeMap<String, Health>,
    /// Messages that were no health.
    unread: usize,
    /// Computers beyond the bound.
    beyond: BTreeSet<String>,
}

/// How bad it is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It said nothing for twice the time after which it says something.
    Silent,
    /// Something is wrong with the computer, a source or a model.
    Trouble,
    /// A machine is in alarm.
    Alarm,
    /// All is well.
    Well,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Trouble => "trouble",
            Self::Alarm => "alarm",
            Self::Well => "well",
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// How bad it is.
    pub standing: Standing,
    /// Seconds since it said so.
    pub age_s: i64,
    /// What it said.
    #[serde(flatten)]
    pub health: Health,
}

impl Table {
    /// A table of `most` computers at most, of topics that begin so.
    pub fn new(prefix: &str, most: usize) -> Self {
        Self {
            prefix: prefix.to_owned(),
            most,
            rows: BTreeMap::new(),
            unread: 0,
            beyond: BTreeSet::new(),
        }
    }

    /// Takes a message in. What is no health is counted, and so is what has no room.
    pub fn take(&mut self, topic: &str, message: &[u8]) {
        let Some(node) = node_of(&self.prefix, topic) else { return };
        if message.is_empty() {
            // An empty message removes what the broker kept.
            self.rows.remove(node);
            return;
        }
        let read =
            (message.len() <= LONGEST).then(|| serde_json::from_slice::<Health>(message).ok());
        let Some(health) = read.flatten().filter(|health| health.node == node) else {
            self.unread += 1;
            return;
        };
        if self.rows.len() >= self.most && !self.rows.contains_key(node) {
            if self.beyond.len() < self.most {
                self.beyond.insert(node.to_owned());
            }
            return;
        }
        self.rows.insert(node.to_owned(), health);
    }

    /// How many computers are in it.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nobody said anything.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All rows, the worst first.
    pub fn rows(&self, now_ms: i64) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .rows
            .values()
            .map(|health| Row {
                standing: standing(health, now_ms),
                age_s: now_ms.saturating_sub(health.at_ms).div_euclid(1000),
                health: health.clone(),
            })
            .collect();
        rows.sort_by(|a, b| {
            a.standing.cmp(&b.standing).then_with(|| a.health.node.cmp(&b.health.node))
        });
        rows
    }

    /// The table as text; `bad`: only computers that are not well.
    pub fn text(&self, now_ms: i64, bad: bool) -> String {
        let rows = self.rows(now_ms);
        let mut text = summary(&rows);
        if !self.beyond.is_empty() {
            let _ = writeln!(text, "more computers than {}: the others are left out", self.most);
        }
        if self.unread > 0 {
            let _ = writeln!(text, "{} messages were no health and are left out", self.unread);
        }
        let shown: Vec<[String; 6]> =
            rows.iter().filter(|row| !bad || row.standing != Standing::Well).map(line_of).collect();
        if shown.is_empty() {
            return text;
        }
        let head = ["computer", "standing", "said", "machines", "model", "what"].map(str::to_owned);
        let mut widths = head.clone().map(|word| word.chars().count());
        for line in &shown {
            for (width, word) in widths.iter_mut().zip(line) {
                *width = (*width).max(word.chars().count()).min(60);
            }
        }
        for line in std::iter::once(&head).chain(&shown) {
            let words: Vec<String> =
                line.iter().zip(widths).map(|(word, width)| format!("{word:<width$}")).collect();
            let _ = writeln!(text, "{}", words.join("  ").trim_end());
        }
        text
    }
}

/// How bad it is.
fn standing(health: &Health, now_ms: i64) -> Standing {
    // A clock that is ahead tells as little of a computer as one that stands still.
    let away_ms = now_ms.saturating_sub(health.at_ms).saturating_abs();
    let most_ms = i64::try_from(health.every_s.max(1).saturating_mul(2000)).unwrap_or(i64::MAX);
    let machines = || health.machines.values();
    if away_ms > most_ms {
        Standing::Silent
    } else if !health.troubles.is_empty() || machines().any(|machine| !machine.troubles.is_empty())
    {
        Standing::Trouble
    } else if machines().any(|machine| machine.active) {
        Standing::Alarm
    } else {
        Standing::Well
    }
}

/// How many there are of each kind, and how many machines use which model.
fn summary(rows: &[Row]) -> String {
    let of = |standing| rows.iter().filter(|row| row.standing == standing).count();
    let kinds: Vec<String> = [Standing::Well, Standing::Alarm, Standing::Trouble, Standing::Silent]
        .map(|standing| format!("{} {}", of(standing), standing.word()))
        .into();
    let computers = offkey_core::counted(rows.len(), "computer");
    let mut text = format!("{computers}: {}\n", kinds.join(", "));
    let mut models: BTreeMap<String, usize> = BTreeMap::new();
    let mut trials: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for machine in rows.iter().flat_map(|row| row.health.machines.values()) {
        *models.entry(model_of(machine)).or_default() += 1;
        if let Some(shadow) = &machine.shadow {
            let sums = trials.entry(printable(&shadow.model)).or_default();
            let counts = [1, shadow.windows, shadow.both, shadow.only_live, shadow.only_shadow];
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(count);
            }
        }
    }
    for (model, count) in models {
        let _ = writeln!(text, "model {model}: {}", offkey_core::counted(count, "machine"));
    }
    for (model, [count, windows, both, only_live, only_shadow]) in trials {
        let machines =
            offkey_core::counted(usize::try_from(count).unwrap_or(usize::MAX), "machine");
        let _ = writeln!(
            text,
            "tried {model}: {machines}, {windows} windows; alarms of both {both}, of the model in use alone {only_live}, of the tried one alone {only_shadow}"
        );
    }
    text
}

fn model_of(machine: &MachineHealth) -> String {
    machine.model.as_deref().map_or_else(|| "of its own".to_owned(), printable)
}

fn line_of(row: &Row) -> [String; 6] {
    let Row { standing, age_s, health } = row;
    let said = match age_s {
        ..0 => "ahead of time".to_owned(),
        0..120 => format!("{age_s} s ago"),
        120..7200 => format!("{} min ago", age_s / 60),
        7200..172_800 => format!("{} h ago", age_s / 3600),
        _ => format!("{} d ago", age_s / 86_400),
    };
    let mut what: Vec<String> = health.troubles.clone();
    let mut models = BTreeSet::new();
    for (name, machine) in &health.machines {
        models.insert(model_of(machine));
        if machine.active {
            what.push(format!("{name}: alarm"));
        }
        if !machine.troubles.is_empty() {
            what.push(format!("{name}: {}", machine.troubles.join(", ")));
        }
    }
    let models: Vec<String> = models.into_iter().collect();
    [
        health.node.clone(),
        standing.word().to_owned(),
        said,
        health.machines.len().to_string(),
        models.join(", "),
        printable(&what.join("; ")),
    ]
}

/// What came from elsewhere must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{ShadowHealth, topic};

    const NOW: i64 = 1_800_000_000_000;

    fn health(node: &str) -> Health {
        let machine = MachineHealth {
            state: "normal".to_owned(),
            active: false,
            troubles: Vec::new(),
            model: Some("press 3".to_owned()),
            shadow: None,
        };
        Health {
            node: node.to_owned(),
            program: "1".to_owned(),
            at_ms: NOW - 1000,
            every_s: 60,
            plan: Some(7),
            troubles: Vec::new(),
            machines: BTreeMap::from([("press".to_owned(), machine)]),
        }
    }

    fn take(table: &mut Table, health: &Health) {
        let message = serde_json::to_vec(health).expect("plain data");
        table.take(&topic("offkey", &health.node), &message);
    }

    #[test]
    fn one_computers_words_and_clock_cannot_disturb_the_table() {
        let mut table = Table::new("offkey", 10);
        let mut well = health("well");
        well.machines.get_mut("press").expect("its machine").model =
            Some("a\nb \u{1b}[2J".to_owned());
        take(&mut table, &well);
        for (node, at_ms) in [("past", i64::MIN), ("future", i64::MAX), ("ahead", NOW + 600_000)] {
            take(&mut table, &Health { at_ms, every_s: 1, ..health(node) });
        }
        let text = table.text(NOW, false);
        assert!(text.contains("1 well") && text.contains("3 silent"), "{text}");
        assert!(text.contains("ab [2J") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn the_worst_come_first_and_sums_are_told() {
        let mut table = Table::new("offkey", 100);
        take(&mut table, &health("a-well"));
        let mut silent = health("z-silent");
        silent.at_ms = NOW - 121_000;
        take(&mut table, &silent);
        let mut alarm = health("m-alarm");
        let machine = alarm.machines.get_mut("press").expect("it is there");
        machine.active = true;
        machine.shadow = Some(ShadowHealth {
            model: "press 4".to_owned(),
            windows: 100,
            both: 3,
            only_live: 2,
            only_shadow: 1,
        });
        take(&mut table, &alarm);
        let nodes: Vec<String> = table.rows(NOW).into_iter().map(|row| row.health.node).collect();
        assert_eq!(nodes, ["z-silent", "m-alarm", "a-well"]);
        let text = table.text(NOW, true);
        for part in [
            "3 computers: 1 well, 1 alarm, 0 trouble, 1 silent",
            "model press 3: 3 machines",
            "tried press 4: 1 machine, 100 windows; alarms of both 3",
            "press: alarm",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("a-well") && table.text(NOW, false).contains("a-well"));
    }

    #[test]
    fn strangers_and_floods_are_bounded() {
        let mut table = Table::new("offkey", 2);
        for index in 0..5 {
            take(&mut table, &health(&format!("node-{index}")));
        }
        table.take("offkey/fleet/node-0/health", b"no health");
        // Somebody who speaks in another's name.
        let other = serde_json::to_vec(&health("node-1")).expect("plain data");
        table.take("offkey/fleet/node-0/health", &other);
        table.take("elsewhere/fleet/node-0/health", &other);
        assert_eq!(table.len(), 2);
        let text = table.text(NOW, false);
        assert!(
            text.contains("more computers than 2") && text.contains("2 messages were no"),
            "{text}"
        );
        let mut steering = health("node-0");
        steering.troubles = vec!["\u{1b}[2J".to_owned()];
        take(&mut table, &steering);
        assert!(!table.text(NOW, false).contains('\u{1b}'));
        table.take("offkey/fleet/node-0/health", b"");
        assert_eq!(table.len(), 1);
    }
}
