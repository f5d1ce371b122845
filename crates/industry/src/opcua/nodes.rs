//! Which nodes a machine has, and what they hold.

use opcua::types::{DataTypeId, DataValue, DateTime, NodeId, StatusCode, Variant};

use crate::picture::{AlarmState, MachinePicture};

/// What a node holds, and how it is read from a picture.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Boolean(fn(&MachinePicture) -> bool),
    UInt16(fn(&MachinePicture) -> u16),
    UInt32(fn(&MachinePicture) -> u32),
    UInt64(fn(&MachinePicture) -> u64),
    Double(fn(&MachinePicture) -> Option<f64>),
    Time(fn(&MachinePicture) -> Option<i64>),
    Text(fn(&MachinePicture) -> Option<&str>),
}

/// One variable of a machine.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) meaning: &'static str,
}

const fn node(name: &'static str, kind: Kind, meaning: &'static str) -> Node {
    Node { name, kind, meaning }
}

/// The variables of every machine.
pub(super) const NODES: &[Node] = &[
    node(
        "State",
        Kind::UInt16(|machine| machine.state.number()),
        "Alarm state after ISA-18.2: 0 normal, 1 active unacknowledged, 2 active acknowledged, \
         3 returned unacknowledged, 4 latched unacknowledged, 5 latched acknowledged, 6 shelved, \
         7 suppressed",
    ),
    node("StateName", Kind::Text(|machine| Some(machine.state.name())), "The alarm state by name"),
    node("Since", Kind::Time(|machine| Some(machine.since_ms)), "When the state began"),
    node(
        "Alarm",
        Kind::Boolean(|machine| machine.state.is_active()),
        "The machine sounds wrong, and the alarm is not hidden",
    ),
    node("AlarmNumber", Kind::UInt64(|machine| machine.alarm), "Number of the latest alarm"),
    node(
        "Unacknowledged",
        Kind::UInt32(|machine| machine.unacknowledged),
        "How often the alarm began since somebody acknowledged it",
    ),
    node("Score", Kind::Double(|machine| machine.score), "Anomaly score of the latest window"),
    node("PValue", Kind::Double(|machine| machine.p_value), "p-value of the latest window"),
    node(
        "Level",
        Kind::Double(|machine| machine.level_db),
        "Level of the latest window, in decibels relative to full scale",
    ),
    node("Window", Kind::Time(|machine| machine.window_ms), "When the latest window began"),
    node(
        "Live",
        Kind::Boolean(|machine| machine.troubles.is_none()),
        "The source brings the sound of this machine",
    ),
    node("Stalled", Kind::Boolean(|machine| machine.troubles.is_stalled()), "No sound comes"),
    node(
        "Source",
        Kind::UInt16(|machine| machine.troubles.bits()),
        "0 live; else a sum of 1 stalled, 2 ended, 4 silent, 8 clipped, 16 other microphone",
    ),
    node("Running", Kind::Boolean(|machine| machine.running), "The machine runs and is judged"),
    node("Event", Kind::Text(|machine| machine.event.as_deref()), "Name of the latest event"),
    node("Reason", Kind::Text(|machine| machine.reason.as_deref()), "Why it alarms"),
];

/// Milliseconds from the beginning of 1601, where OPC UA counts from, to that of 1970.
const FROM_1601_MS: i64 = 11_644_473_600_000;
/// Steps of 100 nanoseconds in a millisecond.
const TICKS_PER_MS: i64 = 10_000;

fn time(ms: i64) -> DateTime {
    DateTime::from(ms.saturating_add(FROM_1601_MS).saturating_mul(TICKS_PER_MS))
}

impl Node {
    pub(super) fn data_type(&self) -> DataTypeId {
        match self.kind {
            Kind::Boolean(_) => DataTypeId::Boolean,
            Kind::UInt16(_) => DataTypeId::UInt16,
            Kind::UInt32(_) => DataTypeId::UInt32,
            Kind::UInt64(_) => DataTypeId::UInt64,
            Kind::Double(_) => DataTypeId::Double,
            Kind::Time(_) => DataTypeId::DateTime,
            Kind::Text(_) => DataTypeId::String,
        }
    }

    /// What it holds; none where there is nothing yet. Nothing is known of a machine whose state is unknown.
    pub(super) fn read(&self, machine: &MachinePicture) -> Option<Variant> {
        if machine.state == AlarmState::Unknown {
            return None;
        }
        match self.kind {
            Kind::Boolean(read) => Some(Variant::from(read(machine))),
            Kind::UInt16(read) => Some(Variant::from(read(machine))),
            Kind::UInt32(read) => Some(Variant::from(read(machine))),
            Kind::UInt64(read) => Some(Variant::from(read(machine))),
            Kind::Double(read) => read(machine).map(Variant::from),
            Kind::Time(read) => read(machine).map(|ms| Variant::from(time(ms))),
            // An empty text says that there is nothing to say; it is known.
            Kind::Text(read) => Some(Variant::from(read(machine).unwrap_or_default())),
        }
    }
}

/// A value as it is told, with the time of its picture.
pub(super) fn data_value(value: Option<Variant>, at_ms: i64) -> DataValue {
    let status =
        if value.is_some() { StatusCode::Good } else { StatusCode::BadWaitingForInitialData };
    DataValue {
        // The library tells the status of a value only where there is one.
        value: Some(value.unwrap_or(Variant::Empty)),
        status: Some(status),
        source_timestamp: Some(time(at_ms)),
        server_timestamp: Some(DateTime::now()),
        ..DataValue::default()
    }
}

/// The node of a machine, or of one of its variables.
pub(super) fn node_id(namespace: u16, machine: &str, variable: Option<&str>) -> NodeId {
    let name = variable.map_or_else(|| machine.to_owned(), |name| format!("{machine}.{name}"));
    NodeId::new(namespace, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, machine: &MachinePicture) -> Option<Variant> {
        NODES.iter().find(|node| node.name == name).expect("a node").read(machine)
    }

    #[test]
    fn nothing_is_said_of_a_machine_that_is_not_known() {
        let machine = MachinePicture::unknown("pump", "Pump", 0);
        assert!(NODES.iter().all(|node| node.read(&machine).is_none()));
        let told = data_value(None, 0);
        assert_eq!(told.status, Some(StatusCode::BadWaitingForInitialData));
        assert_eq!(told.value, Some(Variant::Empty));
    }

    #[test]
    fn values_have_the_type_that_their_node_tells() {
        let machine = MachinePicture {
            state: AlarmState::ActiveUnacknowledged,
            score: Some(1.5),
            p_value: Some(0.25),
            level_db: Some(-30.0),
            window_ms: Some(1000),
            ..MachinePicture::unknown("pump", "Pump", 0)
        };
        for node in NODES {
            let value = node.read(&machine).expect("a value");
            assert_eq!(
                value.data_type().map(|of| of.node_id),
                Some(node.data_type().into()),
                "{}",
                node.name
            );
        }
        assert_eq!(value("State", &machine), Some(Variant::from(1_u16)));
        assert_eq!(value("Alarm", &machine), Some(Variant::from(true)));
        assert_eq!(value("Event", &machine), Some(Variant::from("")));
    }

    #[test]
    fn time_is_counted_from_1601() {
        assert_eq!(time(0), DateTime::ymd(1970, 1, 1));
        assert_eq!(time(1_764_000_000_000), DateTime::ymd_hms(2025, 11, 24, 16, 0, 0));
        assert!(time(i64::MAX) >= time(0));
    }
}
