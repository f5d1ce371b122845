//! Runs the real program in a folder of its own, with the committed model and sound of its machine.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Longest wait for anything; what takes longer is broken.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);
/// Two of three windows begin an alarm, three calm ones end it.
pub(crate) const RULE: &str = "alarms = 2\nwindows = 3\ncalm_windows = 3\n";

/// The committed model file: windows of half a second at 16 kHz.
pub(crate) fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/monitor/form_1.offkey")
}

/// Some seconds of normal sound of the model's machine that the model never heard.
pub(crate) fn normal() -> &'static [i16] {
    static SOUND: OnceLock<Vec<i16>> = OnceLock::new();
    SOUND.get_or_init(|| recordings("source_test_normal").into_iter().take(4).flatten().collect())
}

/// Recordings of the model's machine whose name has this part.
pub(crate) fn recordings(part: &str) -> Vec<Vec<i16>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = offkey_synth::SynthConfig {
        machines: 1,
        clips: 24,
        clip_s: 2.0,
        snr_db: 20.0,
        seed: 9,
        ..offkey_synth::SynthConfig::default()
    };
    offkey_synth::generate(&config, folder.path(), &|_| true).expect("synthetic sound");
    let mut found = Vec::new();
    collect(folder.path(), &mut found);
    found.sort();
    let wanted = found.iter().filter(|path| path.to_string_lossy().contains(part));
    wanted.map(|path| samples_of(path)).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "wav") {
            found.push(path);
        }
    }
}

fn samples_of(path: &Path) -> Vec<i16> {
    let bytes = fs::read(path).expect("a recording");
    let data = bytes.windows(4).position(|four| four == b"data").expect("a data chunk") + 8;
    bytes[data..].as_chunks::<2>().0.iter().map(|word| i16::from_le_bytes(*word)).collect()
}

/// The same sound with a loud tone that the machine never made.
pub(crate) fn faulty() -> Vec<i16> {
    let step = std::f32::consts::TAU * 3100.0 / 16_000.0;
    let tone = (0..).map(|index| 3000.0 * (index as f32 * step).sin());
    normal().iter().zip(tone).map(|(&x, t)| x.saturating_add(t as i16)).collect()
}

pub(crate) fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A 16-bit WAV file at 16 kHz.
pub(crate) fn wav(samples: &[i16]) -> Vec<u8> {
    let data = bytes_of(samples);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((data.len() as u32 + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

/// Whether a program is there; says so where it is not, so that nobody takes a skipped test for a passed one.
pub(crate) fn has(program: &str) -> bool {
    has_one_of(&[program])
}

/// Whether one of these programs is there; says so where none is.
pub(crate) fn has_one_of(programs: &[&str]) -> bool {
    let there = |program: &&str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("command -v {program}")]).stdout(Stdio::null());
        shell.status().is_ok_and(|status| status.success())
    };
    let found = programs.iter().any(there);
    if !found {
        say(&format!("SKIPPED: `{}` is not installed", programs.join("` or `")));
    }
    found
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was not tested")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Makes a certificate for this computer in a folder: `ca.pem`, `cert.pem` and `key.pem`.
pub(crate) fn make_certificate(folder: &Path) {
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("a file");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let ca = [
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=test authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    let asked = ["req", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "asked.csr"];
    let signed = [
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "asked.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "names",
        "-out",
        "cert.pem",
    ];
    for (words, more) in [(&ca[..], &key[..]), (&asked, &key), (&signed, &[])] {
        let mut openssl = Command::new("openssl");
        openssl.args(words).args(more).current_dir(folder).stderr(Stdio::null());
        assert!(openssl.status().expect("openssl starts").success(), "{words:?}");
    }
}

/// Waits until something holds.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(LOOK);
    }
}

/// A folder with a configuration, and the program running in it.
pub(crate) struct Service {
    pub(crate) folder: Arc<tempfile::TempDir>,
    child: Child,
    url: String,
    said: Arc<Mutex<Vec<String>>>,
}

/// Makes a folder with this configuration; the model is `model.offkey`.
pub(crate) fn folder(config: &str) -> Arc<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::copy(model(), folder.path().join("model.offkey")).expect("the model");
    let web = if config.contains("[web]") { "" } else { "[web]\nlisten = \"127.0.0.1:0\"\n" };
    fs::write(folder.path().join("serve.toml"), format!("{web}{config}")).expect("a configuration");
    Arc::new(folder)
}

impl Service {
    /// Starts the program with this configuration.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(&folder(config))
    }

    /// Starts the program in a folder that may have been used before.
    pub(crate) fn start_in(folder: &Arc<tempfile::TempDir>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offkey-serve"))
            .arg("serve.toml")
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                lines.lock().expect("the lines").push(line);
            }
        });
        let url = until("the address", || {
            let ended = child.try_wait().expect("a status");
            let said = said.lock().expect("the lines");
            assert!(ended.is_none(), "it ended at once: {said:?}");
            said.iter().find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned()))
        });
        Self { folder: Arc::clone(folder), child, url, said }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What the program said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("the lines").join("\n")
    }

    /// The answer to a request, which must be good.
    pub(crate) fn get(&self, path: &str) -> Value {
        let mut answer = ureq::get(self.url(path)).call().expect("an answer");
        serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON")
    }

    /// The status of a request, whatever it is, and its text.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(self.url(path)).header("Content-Type", "application/json");
        let mut answer = request.send(body).expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    }

    /// Sends a recording to a machine.
    pub(crate) fn upload(&self, machine: &str, samples: &[i16]) {
        let (status, text) = self.post(&format!("/api/machines/{machine}/sound"), &wav(samples));
        assert_eq!(status, 200, "{text}");
    }

    pub(crate) fn view(&self, machine: &str) -> Value {
        self.get(&format!("/api/machines/{machine}"))["view"].clone()
    }

    /// Waits until the alarm of a machine stands so.
    pub(crate) fn until_phase(&self, machine: &str, phase: &str) {
        until(&format!("{machine} to be {phase}"), || {
            (self.view(machine)["phase"] == phase).then_some(())
        });
    }

    /// Kinds of the events of a machine, oldest first.
    pub(crate) fn kinds(&self, machine: &str) -> Vec<String> {
        let events = self.get(&format!("/api/machines/{machine}/events?most=500"));
        let kinds = events.as_array().expect("events").iter().rev();
        kinds.map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
    }

    /// Waits until something of that kind has happened to a machine.
    pub(crate) fn until_event(&self, machine: &str, kind: &str) {
        until(&format!("{kind} of {machine}"), || {
            self.kinds(machine).iter().any(|found| found == kind).then_some(())
        });
    }

    /// What `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a status");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill is there").success(), "process {id} takes no signal");
    }

    /// Asks it to end and waits; its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        until("the end", || self.child.try_wait().expect("a status")).code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A configuration with machines that take uploads.
pub(crate) fn uploads(machines: &[&str]) -> String {
    let of = |name: &&str| {
        format!(
            "[machine.{name}]\nmodel = \"model.offkey\"\nsource = {{ upload = {{}} }}\n[machine.{name}.alarm]\n{RULE}"
        )
    };
    machines.iter().map(of).collect()
}
