//! What control systems are shown of a configuration, and what must hold for that.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, ToSocketAddrs},
};

use offkey_industry::{guests::Net, modbus::MOST_MACHINES};

use super::{Config, MachineConfig, industry::ModbusConfig, parse::Reading};

/// The machines in the order in which control systems see them, with what people call them: those of `order`
/// first, also where they are gone, so that no block of registers moves.
pub fn shown_machines(
    order: Option<&[String]>,
    machines: &BTreeMap<String, MachineConfig>,
) -> Vec<(String, String)> {
    let first = order.unwrap_or_default();
    let others = machines.keys().filter(|name| !first.contains(name));
    let titled = |name: &String| {
        let title = machines.get(name).and_then(|machine| machine.title.clone());
        (name.clone(), title.unwrap_or_else(|| name.clone()))
    };
    first.iter().chain(others).map(titled).collect()
}

impl Config {
    /// How many of the machines have a block of registers, in the order of [`shown_machines`].
    pub fn blocks(&self) -> usize {
        let order = self.modbus.as_ref().and_then(|modbus| modbus.machines.as_ref());
        order.map_or(self.machines.len(), Vec::len)
    }
}

pub(super) fn check(config: &Config, reading: &mut Reading<'_>) {
    if let Some(modbus) = &config.modbus {
        built(cfg!(feature = "modbus"), "modbus", reading);
        check_modbus(modbus, config, reading);
    }
    if let Some(opcua) = &config.opcua {
        built(cfg!(feature = "opcua"), "opcua", reading);
        address("opcua", &opcua.listen, reading);
        if !(1..=1000).contains(&opcua.sessions) {
            reading.wrong(&["opcua", "sessions"], "`sessions` must be from 1 to 1000");
        }
    }
}

fn built(is: bool, section: &str, reading: &mut Reading<'_>) {
    if !is {
        let what = format!(
            "this program was built without `[{section}]`: build it with `--features {section}`"
        );
        reading.wrong(&[section], what);
    }
}

fn address(section: &str, listen: &str, reading: &mut Reading<'_>) -> Vec<SocketAddr> {
    let addresses: Vec<SocketAddr> =
        listen.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        let what = format!(
            "cannot listen on `{listen}`, expected address and port as in `127.0.0.1:1502`"
        );
        reading.wrong(&[section, "listen"], what);
    }
    addresses
}

fn check_modbus(modbus: &ModbusConfig, config: &Config, reading: &mut Reading<'_>) {
    let addresses = address("modbus", &modbus.listen, reading);
    let open = addresses.iter().any(|address| !address.ip().is_loopback());
    if open && modbus.allow.is_empty() {
        let what = format!(
            "`{}` can be reached from other computers, and Modbus knows no password: name those that may \
             connect in `allow`, or listen on 127.0.0.1",
            modbus.listen
        );
        reading.wrong(&["modbus", "listen"], what);
    }
    for error in modbus.allow.iter().filter_map(|text| text.parse::<Net>().err()) {
        reading.wrong(&["modbus", "allow"], error.to_string());
    }
    let names = modbus.machines.as_deref().unwrap_or_default();
    for (index, name) in names.iter().enumerate() {
        if !config.machines.contains_key(name) {
            reading.wrong(&["modbus", "machines"], format!("there is no `[machine.{name}]`"));
        }
        if names[..index].contains(name) {
            reading.wrong(&["modbus", "machines"], format!("`{name}` is named twice"));
        }
    }
    if config.blocks() > MOST_MACHINES {
        let what = format!("{} machines have no room: {MOST_MACHINES} have", config.blocks());
        reading.wrong(&["modbus"], what);
    }
    if !(1..=1000).contains(&modbus.connections) {
        reading.wrong(&["modbus", "connections"], "`connections` must be from 1 to 1000");
    }
    if !(1000..=86_400_000).contains(&modbus.idle.ms()) {
        reading.wrong(&["modbus", "idle"], "`idle` must be from 1s to 1d");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "[machine.a]\nsource = { upload = {} }\n[machine.b]\ntitle = \"B!\"\nsource = { upload = {} }\n";

    fn told(text: &str) -> String {
        let read = Config::read(&format!("{TWO}{text}"));
        let errors = read.err().map_or_else(Vec::new, |errors| errors.errors);
        let mut told: Vec<String> = errors.into_iter().map(|error| error.what).collect();
        told.retain(|what| !what.contains("built without"));
        told.join("\n")
    }

    #[test]
    fn a_door_without_its_feature_is_told() {
        let read = Config::read(&format!("{TWO}[modbus]\n[opcua]\n"));
        let errors = read.err().map_or(0, |errors| errors.errors.len());
        let absent = [cfg!(feature = "modbus"), cfg!(feature = "opcua")];
        assert_eq!(errors, absent.iter().filter(|built| !**built).count());
    }

    #[test]
    fn other_computers_have_to_be_named() {
        let open = "[modbus]\nlisten = \"0.0.0.0:1502\"\n";
        assert!(told(open).contains("name those that may connect"), "{}", told(open));
        assert_eq!(told(&format!("{open}allow = [\"10.0.0.0/16\"]\n")), "");
        assert!(told("[modbus]\nallow = [\"plc\"]\n").contains("`plc`"));
    }

    #[test]
    fn blocks_are_for_machines_that_there_are_once_each() {
        assert!(told("[modbus]\nmachines = [\"b\", \"c\"]\n").contains("`[machine.c]`"));
        assert!(told("[modbus]\nmachines = [\"b\", \"b\"]\n").contains("twice"));
    }

    #[test]
    fn machines_stand_in_the_order_of_the_configuration() {
        let config = Config::read(TWO).expect("a good configuration");
        let names = |order: Option<&[String]>| -> Vec<String> {
            let shown = shown_machines(order, &config.machines);
            shown.into_iter().map(|(name, title)| format!("{name} {title}")).collect()
        };
        assert_eq!((names(None), config.blocks()), (vec!["a a".into(), "b B!".into()], 2));
        let order = ["b".to_owned(), "gone".to_owned()];
        assert_eq!(names(Some(&order)), ["b B!", "gone gone", "a a"]);
    }
}
