//! What Home Assistant is told of a machine, so that it appears there as a device.

use serde_json::{Value, json};

/// The discovery message of a machine, for `homeassistant/device/<node>/config`.
pub fn discovery(prefix: &str, client: &str, machine: &str, title: &str) -> Value {
    let id = format!("{client}_{machine}");
    let sensor = |name: &str, key: &str, more: &Value| {
        let mut sensor = json!({
            "p": "sensor",
            "name": name,
            "unique_id": format!("{id}_{key}"),
            "value_template": format!("{{{{ value_json.{key} }}}}"),
            "state_class": "measurement",
        });
        merge(&mut sensor, more);
        sensor
    };
    let binary = |name: &str, key: &str, test: &str, more: &Value| {
        let mut sensor = json!({
            "p": "binary_sensor",
            "name": name,
            "unique_id": format!("{id}_{key}"),
            "value_template": format!("{{{{ 'ON' if {test} else 'OFF' }}}}"),
        });
        merge(&mut sensor, more);
        sensor
    };
    json!({
        "dev": { "ids": [id], "name": title, "mf": "offkey", "mdl": "anomalous sound detection" },
        "o": { "name": "offkey-serve", "sw": env!("CARGO_PKG_VERSION") },
        "availability_topic": format!("{prefix}/status"),
        "state_topic": format!("{prefix}/machine/{machine}/state"),
        "qos": 1,
        "cmps": {
            "alarm": binary("Sound alarm", "alarm", "value_json.active", &json!({ "device_class": "problem" })),
            "source": binary("Source", "source", "value_json.source_ok", &json!({ "device_class": "connectivity" })),
            "running": binary("Running", "running", "value_json.operating != 'off'", &json!({ "device_class": "running" })),
            "score": sensor("Score", "score", &json!({})),
            "p_value": sensor("p-value", "p_value", &json!({})),
            "level": sensor("Level", "level_db", &json!({ "unit_of_measurement": "dB" })),
            "state": {
                "p": "sensor",
                "name": "Alarm state",
                "unique_id": format!("{id}_state"),
                "value_template": "{{ value_json.state }}",
            },
            "acknowledge": {
                "p": "button",
                "name": "Acknowledge",
                "unique_id": format!("{id}_acknowledge"),
                "command_topic": format!("{prefix}/machine/{machine}/command"),
                "payload_press": "acknowledge",
            },
        },
    })
}

fn merge(into: &mut Value, more: &Value) {
    if let (Some(into), Some(more)) = (into.as_object_mut(), more.as_object()) {
        into.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}
