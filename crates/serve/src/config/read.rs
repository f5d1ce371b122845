//! A configuration from its text, read and checked whole.

use super::{
    Config, FleetConfig, MachineConfig, ModbusConfig, OpcUaConfig, SinkConfig, StoreConfig,
    WebConfig, check,
    parse::{ConfigError, ConfigErrors, Reading},
};

impl Config {
    /// Reads and checks a configuration whole.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn read(text: &str) -> Result<Self, ConfigErrors> {
        let (config, errors) = Self::read_what_can_be(text);
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors { errors }) }
    }

    /// Reads what can be read of a configuration, and everything that is wrong with the rest.
    pub fn read_what_can_be(text: &str) -> (Self, Vec<ConfigError>) {
        let mut reading = Reading::new(text);
        let config = Self {
            store: reading.section::<StoreConfig>("store"),
            web: reading.section::<WebConfig>("web"),
            modbus: reading.optional::<ModbusConfig>("modbus"),
            opcua: reading.optional::<OpcUaConfig>("opcua"),
            fleet: reading.optional::<FleetConfig>("fleet"),
            machines: reading.named::<MachineConfig>("machine"),
            sinks: reading.named::<SinkConfig>("sink"),
        };
        reading.refuse_others();
        check::check(&config, &mut reading);
        (config, reading.into_errors())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<(usize, String)> {
        let found = Config::read(text).err().map_or(Vec::new(), |errors| errors.errors);
        found.into_iter().map(|error| (error.line, error.what)).collect()
    }

    const GOOD: &str = "[machine.pump]\nmodel = \"pump.offkey\"\nsource = { folder = \"in\" }\n";

    #[test]
    fn the_starter_checks() {
        assert_eq!(errors(super::super::STARTER), []);
    }

    #[test]
    fn a_short_configuration_has_its_defaults() {
        let config = Config::read(GOOD).expect("a good configuration");
        assert_eq!(config.web, WebConfig::default());
        assert_eq!(config.machines["pump"].alarm.windows, 5);
    }

    #[test]
    fn every_error_is_told_at_its_line() {
        let text = "[web]\nlisten = 7\nbogus = 1\n\n[machine.pump]\nsource = { folder = \"in\" }\n\
                    colour = \"red\"\n[machine.pump.alarm]\nwindows = \"x\"\ncooldown = \"3 weeks\"\n";
        let found = errors(text);
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 7, 9, 10], "{found:?}");
        assert!(found[4].1.contains("3 weeks"), "{found:?}");
    }

    #[test]
    fn one_slip_is_one_error() {
        let found = errors("[machine.pump]\nsource = { uploads = {} }\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == 2 && found[0].1.contains("`upload`"), "{found:?}");
    }

    #[test]
    fn broken_toml_is_told_at_its_line() {
        let found = errors("[web]\nlisten = \n");
        assert_eq!(found.first().map(|(line, _)| *line), Some(2), "{found:?}");
    }

    #[test]
    fn unknown_sections_and_missing_keys_are_told() {
        let found = errors("[machine.pump]\nmodel = \"x\"\n[sinks.a]\njournal = {}\n");
        assert!(
            found.iter().any(|(line, what)| *line == 1 && what.contains("source")),
            "{found:?}"
        );
        assert!(found.iter().any(|(line, what)| *line == 3 && what.contains("sinks")), "{found:?}");
    }
}
