//! What must hold between the values of a configuration.

use std::net::{SocketAddr, ToSocketAddrs};

use super::{
    AlarmConfig, Config, MachineConfig, MailConfig, MqttConfig, SinkConfig, SourceConfig,
    address::{bad_mail_address, bad_mail_server, bad_url, bad_word},
    control,
    parse::Reading,
};
use crate::alarm::{Schedule, ScheduleError};

/// Sound before an alarm is kept in memory.
const LONGEST_BEFORE_MS: u64 = 120_000;

pub(super) fn check(config: &Config, reading: &mut Reading<'_>) {
    check_web(config, reading);
    control::check(config, reading);
    if let Some(fleet) = &config.fleet {
        super::fleet::check(fleet, reading);
        if let Some(health) = &fleet.health {
            check_mqtt(&["fleet", "health"], health, reading);
        }
    }
    if config.store.commit_every.ms() == 0 || config.store.commit_every.ms() > 60_000 {
        reading.wrong(&["store", "commit_every"], "`commit_every` must be above 0 and at most 60s");
    }
    if config.store.folder.as_os_str().is_empty() {
        reading.wrong(&["store", "folder"], "`folder` is empty, expected the folder of the store");
    }
    for (name, machine) in &config.machines {
        check_machine(name, machine, config, reading);
    }
    for (name, sink) in &config.sinks {
        check_sink(name, sink, reading);
    }
}

fn check_web(config: &Config, reading: &mut Reading<'_>) {
    let web = &config.web;
    let addresses: Vec<SocketAddr> =
        web.listen.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        let what = format!(
            "cannot listen on `{}`, expected address and port as in `127.0.0.1:7080`",
            web.listen
        );
        reading.wrong(&["web", "listen"], what);
    }
    let open = addresses.iter().any(|address| !address.ip().is_loopback());
    if open && web.password.is_none() && web.token.is_none() {
        let what = format!(
            "`{}` can be reached from other computers: set `password` or `token`, or listen on 127.0.0.1",
            web.listen
        );
        reading.wrong(&["web", "listen"], what);
    }
    let alone = match (&web.certificate, &web.key) {
        (Some(_), None) => Some(("certificate", "key")),
        (None, Some(_)) => Some(("key", "certificate")),
        _ => None,
    };
    if let Some((there, absent)) = alone {
        reading.wrong(&["web", there], format!("`{there}` is given without `{absent}`"));
    }
    if !(1..=10_000).contains(&web.upload_mb) {
        reading.wrong(&["web", "upload_mb"], "`upload_mb` must be from 1 to 10000");
    }
}

fn check_machine(name: &str, machine: &MachineConfig, config: &Config, reading: &mut Reading<'_>) {
    let at = |key| ["machine", name, key];
    for (key, sinks) in [("sinks", &machine.sinks), ("escalate_to", &machine.escalate_to)] {
        for sink in sinks.iter().flatten().filter(|sink| !config.sinks.contains_key(*sink)) {
            reading.wrong(&at(key), format!("there is no `[sink.{sink}]`"));
        }
    }
    for (key, words) in [("title", &machine.title), ("place", &machine.place)] {
        if let Some(why) = words.as_deref().and_then(|words| bad_word(key, words)) {
            reading.wrong(&at(key), why);
        }
    }
    match &machine.source {
        SourceConfig::Folder(folder) if folder.as_os_str().is_empty() => {
            reading
                .wrong(&at("source"), "`folder` is empty, expected the folder of the recordings");
        }
        SourceConfig::Command { run, .. } if run.iter().any(|word| word.contains('\0')) => {
            reading.wrong(&at("source"), "`run` has a zero byte in it, which no program takes");
        }
        SourceConfig::Command { run, .. } if run.is_empty() => {
            reading.wrong(&at("source"), "`run` is empty, expected a program and its arguments");
        }
        SourceConfig::File { raw, .. } | SourceConfig::Command { raw, .. }
            if !(1000..=384_000).contains(&raw.rate_hz) || !(1..=64).contains(&raw.channels) =>
        {
            let what = format!(
                "raw sound of {} Hz and {} channels, expected 1000 to 384000 Hz and 1 to 64 channels",
                raw.rate_hz, raw.channels
            );
            reading.wrong(&at("source"), what);
        }
        _ => {}
    }
    if machine.sound.before.ms() > LONGEST_BEFORE_MS {
        reading.wrong(&["machine", name, "sound", "before"], "`before` must be at most 2m");
    }
    check_alarm(name, &machine.alarm, reading);
    let schedule = &machine.schedule;
    for error in Schedule::problems(&schedule.suppress, schedule.time_zone.as_deref()) {
        let key = match error {
            ScheduleError::Span { .. } => "suppress",
            ScheduleError::Zone { .. } => "time_zone",
        };
        reading.wrong(&["machine", name, "schedule", key], error.to_string());
    }
    if machine.operating.windows == 0 {
        reading.wrong(&["machine", name, "operating", "windows"], "`windows` must be at least 1");
    }
    if machine.operating.off_below_db.is_some_and(|level| !(-200.0..=0.0).contains(&level)) {
        let what = "`off_below_db` must be from -200 to 0: decibels relative to full scale";
        reading.wrong(&["machine", name, "operating", "off_below_db"], what);
    }
    if !(0.0..=1.0).contains(&machine.liveness.clipped_share) {
        let what = "`clipped_share` must be from 0 to 1";
        reading.wrong(&["machine", name, "liveness", "clipped_share"], what);
    }
}

fn check_alarm(name: &str, alarm: &AlarmConfig, reading: &mut Reading<'_>) {
    let at = |key| ["machine", name, "alarm", key];
    if alarm.alarms == 0 || alarm.alarms > alarm.windows || alarm.windows > 10_000 {
        let what = format!(
            "{} of {} windows cannot alarm, expected `alarms` from 1 to `windows`, and `windows` up to 10000",
            alarm.alarms, alarm.windows
        );
        reading.wrong(&at("alarms"), what);
    }
    if !(1..=10_000).contains(&alarm.calm_windows) {
        reading.wrong(&at("calm_windows"), "`calm_windows` must be from 1 to 10000");
    }
    if alarm.cusum_limit.is_some_and(|limit| !(limit > 0.0 && limit <= 1000.0)) {
        reading.wrong(&at("cusum_limit"), "`cusum_limit` must be above 0 and at most 1000");
    }
    if !(0.0..=1000.0).contains(&alarm.cusum_allowance) {
        reading.wrong(&at("cusum_allowance"), "`cusum_allowance` must be from 0 to 1000");
    }
    if !alarm.escalate_after.is_sorted() {
        reading.wrong(&at("escalate_after"), "the times of `escalate_after` must rise");
    }
}

fn check_sink(name: &str, sink: &SinkConfig, reading: &mut Reading<'_>) {
    match sink {
        SinkConfig::Mqtt(mqtt) => check_mqtt(&["sink", name, "mqtt"], mqtt, reading),
        SinkConfig::Webhook { url, .. } => {
            if let Some(why) = bad_url(url) {
                reading.wrong(&["sink", name, "webhook", "url"], why);
            }
        }
        SinkConfig::Command { run, within } => {
            if run.is_empty() {
                reading.wrong(
                    &["sink", name, "command", "run"],
                    "`run` is empty, expected a program and its arguments",
                );
            }
            if !(100..=600_000).contains(&within.ms()) {
                reading.wrong(
                    &["sink", name, "command", "within"],
                    "`within` must be from 100ms to 10m",
                );
            }
        }
        SinkConfig::Mail(mail) => check_mail(name, mail, reading),
        SinkConfig::Jsonl { .. } | SinkConfig::Journal {} => {}
    }
}

fn check_mqtt(place: &[&str], mqtt: &MqttConfig, reading: &mut Reading<'_>) {
    if mqtt.address().is_none() {
        let what = format!(
            "`{}` is no broker, expected as in `mqtt://broker:1883` or `mqtts://broker:8883`",
            mqtt.url
        );
        reading.wrong(&[place, &["url"]].concat(), what);
    }
    for (key, value) in [("prefix", &mqtt.prefix), ("client", &mqtt.client)] {
        if value.is_empty() || value.contains(['#', '+', ' ']) || value.starts_with('$') {
            let what = format!("`{key}` is `{value}`, which no topic can begin with");
            reading.wrong(&[place, &[key]].concat(), what);
        } else if let Some(why) = bad_word(key, value) {
            reading.wrong(&[place, &[key]].concat(), why);
        }
    }
}

fn check_mail(name: &str, mail: &MailConfig, reading: &mut Reading<'_>) {
    if let Some(why) = bad_mail_server(&mail.server) {
        reading.wrong(&["sink", name, "mail", "server"], why);
    }
    if mail.to.is_empty() {
        reading.wrong(&["sink", name, "mail", "to"], "`to` is empty: nobody would get the mail");
    }
    let to = mail.to.iter().map(|address| ("to", address));
    for (key, address) in std::iter::once(("from", &mail.from)).chain(to) {
        if let Some(why) = bad_mail_address(address) {
            reading.wrong(&["sink", name, "mail", key], why);
        }
    }
}

impl MqttConfig {
    /// Host, port, and whether TLS is spoken.
    pub fn address(&self) -> Option<(String, u16, bool)> {
        let (rest, tls) = match self.url.split_once("://")? {
            ("mqtt", rest) => (rest, false),
            ("mqtts", rest) => (rest, true),
            _ => return None,
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (rest, if tls { 8883 } else { 1883 }),
        };
        (!host.is_empty() && !host.contains('/')).then(|| (host.to_owned(), port, tls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        Config::read(text).err().map_or(String::new(), |errors| errors.to_string())
    }

    const PUMP: &str = "[machine.pump]\nsource = { upload = {} }\n";

    #[test]
    fn other_computers_need_a_password() {
        let open = format!("{PUMP}[web]\nlisten = \"0.0.0.0:7080\"\n");
        assert!(told(&open).contains("line 4: `0.0.0.0:7080` can be reached"), "{}", told(&open));
        assert_eq!(told(&format!("{open}token = {{ env = \"OFFKEY_TOKEN\" }}\n")), "");
    }

    #[test]
    fn names_that_would_be_paths_are_refused() {
        for name in ["..", "a/b", "Pump", "a b", ""] {
            let text = format!("[machine.\"{name}\"]\nsource = {{ upload = {{}} }}\n");
            assert!(told(&text).contains("cannot be used"), "{name}: {}", told(&text));
        }
    }

    #[test]
    fn a_fleet_says_where_its_models_come_from_and_who_answers_for_them() {
        let fleet = |more: &str| told(&format!("{PUMP}[fleet]\nnode = \"hall-2-07\"\n{more}"));
        assert!(fleet("").contains("line 3: `[fleet]` does nothing"), "{}", fleet(""));
        assert_eq!(fleet("store = \"models\"\n"), "");
        let web = "store = \"https://models.example.org\"\n";
        assert!(fleet(web).contains("line 5") && fleet(web).contains("keygen"), "{}", fleet(web));
        assert_eq!(fleet(&format!("{web}keys = [\"fleet.key.pub\"]\n")), "");
        let ftp = fleet("store = \"ftp://x\"\n");
        assert!(ftp.contains("line 5") && ftp.contains("neither a folder"), "{ftp}");
        let nobody = fleet("store = \"https://\"\nkeys = [\"fleet.key.pub\"]\n");
        assert!(nobody.contains("line 5") && nobody.contains("names no computer"), "{nobody}");
        let secret = fleet("store = \"https://me:S3CRET@models.example.org\"\n");
        assert!(secret.contains("use `token`") && !secret.contains("S3CRET"), "{secret}");
        let bad = fleet("health = { url = \"http://x\" }\nevery = \"0s\"\n");
        assert!(bad.contains("no broker") && bad.contains("`every` must be"), "{bad}");
    }

    #[test]
    fn what_could_never_be_reached_or_shown_is_told_before_anything_starts() {
        let sink = |what: &str| told(&format!("{PUMP}[sink.s]\n{what}\n"));
        let mail = |server: &str, to: &str| {
            sink(&format!("mail = {{ server = \"{server}\", from = \"a@b\", to = [\"{to}\"] }}"))
        };
        let hook = |url: &str| sink(&format!("webhook = {{ url = \"{url}\" }}"));
        assert_eq!(hook("https://example.org/alarms?x=1"), "");
        assert_eq!(mail("smtps://mail.example.org:465", "The shift <shift@example.org>"), "");
        for (said, part) in [
            (hook("http://"), "no web address"),
            (hook("http://h/\\r\\nX: y"), "no web address"),
            (hook("https://me:S3CRET@h/"), "sign with `secret`"),
            (mail("smtp://", "c@d"), "no mail server"),
            (mail("smtp://h", "@"), "no mail address"),
            (mail("smtp://h", "c@d\\r\\nBcc: e@f"), "no mail address"),
            (sink("mqtt = { url = \"mqtt://h\", prefix = \"a\\u0000b\" }"), "control character"),
            (told(&format!("{PUMP}title = \"a\\u001b[31m\"\n")), "control character"),
            (told(&format!("{PUMP}place = \"{}\"\n", "x".repeat(201))), "201 bytes"),
            (told("[machine.a]\nsource = { folder = \"\" }\n"), "`folder` is empty"),
            (told(&format!("{PUMP}[store]\nfolder = \"\"\n")), "`folder` is empty"),
        ] {
            assert!(said.contains(part) && !said.contains("S3CRET"), "{part}: {said}");
        }
    }

    #[test]
    fn a_sink_that_is_named_must_be_there() {
        let text = format!("{PUMP}sinks = [\"plant\"]\n");
        assert_eq!(told(&text), "line 3: there is no `[sink.plant]`");
    }

    #[test]
    fn values_out_of_range_are_told_where_they_stand() {
        let text = "[store]\ncommit_every = \"0s\"\n[machine.a]\nsource = { command = { run = [] } }\n\
                    [machine.a.alarm]\nalarms = 7\n[machine.a.schedule]\nsuppress = [\"weekend\"]\n\
                    [sink.m]\nmqtt = { url = \"http://x\" }\n";
        let lines: Vec<usize> = Config::read(text)
            .err()
            .map_or(Vec::new(), |e| e.errors.iter().map(|e| e.line).collect());
        assert_eq!(lines, [2, 4, 6, 8, 10], "{}", told(text));
    }
}
