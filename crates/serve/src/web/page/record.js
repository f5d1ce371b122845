"use strict";
// Normal recordings from the microphone of whoever has the page open, and the live picture of a machine's sound.

const RECORD_RATE_HZ = 16000, RECORD_PIECE_S = 10;

/** A 16-bit WAV file of samples in pieces. */
function wavFile(pieces, rate) {
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (at, word) => [...word].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt "); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true); text(36, "data"); view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const piece of pieces) for (const sample of piece) { view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), true); at += 2; }
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** The microphone as it is: what browsers do for voices would hide a machine's faults. */
async function openMicrophone() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 } });
  const context = new AudioContext({ sampleRate: RECORD_RATE_HZ });
  try {
    await context.audioWorklet.addModule("/recorder.js");
    const node = new AudioWorkletNode(context, "recorder");
    context.createMediaStreamSource(stream).connect(node);
    return { context, node, close: () => { stream.getTracks().forEach((track) => track.stop()); context.close(); } };
  } catch (error) {
    stream.getTracks().forEach((track) => track.stop());
    context.close();
    throw error;
  }
}

/** Records normal sound here, in pieces that are sent as they become complete. */
function recordButton(path, count) {
  if (!window.isSecureContext || !navigator.mediaDevices || !window.AudioWorkletNode) {
    return el("p", { class: "soft" }, "Recording here needs HTTPS (certificate and key in [web]) or this computer's own address, localhost.");
  }
  const told = el("span", { class: "soft", role: "status" });
  let stop = null;
  const button = el("button", { "data-act": "record", onclick: () => (stop ? stop() : attempt(start)) }, "Record here");
  const start = async () => {
    const microphone = await openMicrophone(), rate = microphone.context.sampleRate;
    let pieces = [], held = 0, sent = 0, sending = Promise.resolve();
    const send = () => {
      const file = wavFile(pieces, rate);
      pieces = []; held = 0;
      sending = sending.then(() => attempt(async () => { await call(`${path}/normals`, "POST", file); sent += 1; await count(); }));
    };
    microphone.node.port.onmessage = ({ data }) => {
      pieces.push(data); held += data.length;
      told.textContent = `Recording: ${Math.floor(held / rate)} of ${RECORD_PIECE_S} s, ${sent} sent`;
      if (held >= RECORD_PIECE_S * rate) send();
      if (!button.isConnected && stop) stop();
    };
    button.textContent = "Stop recording";
    stop = () => {
      stop = null;
      microphone.close();
      // A short rest is of no use.
      if (held >= rate) send();
      button.textContent = "Record here";
      sending.then(() => { told.textContent = `${sent} recordings sent`; });
    };
  };
  return el("div", { class: "row" }, button, told);
}

/** Normal recordings from the machine's own source, made by the service. */
function sourceButton(machine, path, count) {
  if (!["file", "command", "microphone"].includes(machine.machine?.source)) return "";
  const told = el("span", { class: "soft", role: "status" });
  const minutes = el("input", { type: "number", id: "minutes", min: "0.1", max: "60", step: "any", value: "2" });
  let running = false;
  const follow = async () => {
    const normals = await attempt(() => call(`${path}/normals`));
    if (!normals || !told.isConnected) return;
    const left = normals.recording_left_s;
    if (left === null) { if (running) { told.textContent = "Recorded."; await count(); } running = false; button.textContent = "Record from the source"; return; }
    running = true;
    button.textContent = "Stop recording";
    told.textContent = `${Math.ceil(left)} s to go`;
    setTimeout(follow, 1000);
  };
  const button = el("button", { "data-act": "record-source", onclick: () => attempt(async () => { await call(`${path}/record`, "POST", { seconds: running ? 0 : 60 * Number(minutes.value) }); await follow(); }) }, "Record from the source");
  setTimeout(follow, 0);
  return el("div", { class: "row" }, el("label", { for: "minutes" }, "Minutes "), minutes, button, told);
}

/** The colour of a level from 0 to 1: from black over blue and orange to white, lighter all the way. */
function levelColour(part) {
  return [255 * Math.min(1, Math.max(0, 1.9 * part - 0.55)), 255 * part ** 1.6,
    255 * Math.min(1, part < 0.45 ? 1.7 * part : 0.75 - 0.9 * (part - 0.45) + 2.2 * Math.max(0, part - 0.7))];
}

/** A picture of levels in decibels above -120 dB: columns from left to right, bands upwards. */
function drawColumns(canvas, columns) {
  const bands = columns.length ? columns[0].length : 1;
  canvas.width = Math.max(1, columns.length);
  canvas.height = bands;
  const context = canvas.getContext("2d"), picture = context.createImageData(canvas.width, bands);
  columns.forEach((column, x) => column.forEach((level, band) => {
    const [red, green, blue] = levelColour(Math.min(1, Math.max(0, (level - 20) / 100)));
    const at = 4 * ((bands - 1 - band) * canvas.width + x);
    picture.data.set([red, green, blue, 255], at);
  }));
  context.putImageData(picture, 0, 0);
}

const LIVE_COLUMNS = 240;
let livePicture = null;

/** The picture of a machine's sound as it comes, of the last minute. */
function liveSection(machine) {
  const name = machine.name, last = machine.view && machine.view.last;
  const canvas = el("canvas", { hidden: true, id: "live", role: "img", "aria-label": "Spectrogram of the sound now: time to the right, frequency upwards" });
  const told = el("p", { class: "soft", id: "live-told" }, "Nothing is heard at the moment.");
  if (!livePicture || livePicture.name !== name) livePicture = { name, columns: [], high_hz: 0 };
  livePicture.canvas = canvas;
  livePicture.told = told;
  drawLive();
  return el("section", {}, el("h2", {}, "Sound now"), canvas, told, meter(machine),
    el("p", { class: "soft", "data-level": name }, last ? `${number(last.level_db)} dB relative to full scale` : ""));
}

function drawLive() {
  if (!livePicture.columns.length) return;
  livePicture.canvas.hidden = false;
  const blank = Array.from({ length: LIVE_COLUMNS - livePicture.columns.length }, () => livePicture.columns[0].map(() => 0));
  drawColumns(livePicture.canvas, [...blank, ...livePicture.columns]);
  livePicture.told.textContent = `The last ${Math.round(livePicture.columns.length / 4)} s, 40 Hz to ${number(livePicture.high_hz / 1000)} kHz.`;
}

function liveColumn({ machine, high_hz, bands }) {
  if (!livePicture || livePicture.name !== machine || !livePicture.canvas.isConnected) return;
  livePicture.high_hz = high_hz;
  livePicture.columns.push(bands);
  livePicture.columns.splice(0, Math.max(0, livePicture.columns.length - LIVE_COLUMNS));
  drawLive();
}
