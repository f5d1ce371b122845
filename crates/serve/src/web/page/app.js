"use strict";
// The pages: all machines, one machine, setting one up. They show what the interface tells and nothing else.

const main = document.getElementById("main");
let looking = null, csrf = null, machines = [], refresh = null, drawn = 0, showTrend = null;

/** An element; text is never read as HTML. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

async function call(path, method = "GET", body = undefined) {
  const headers = {};
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (body !== undefined && !(body instanceof Blob)) { headers["Content-Type"] = "application/json"; body = JSON.stringify(body); }
  const answer = await fetch(path, { method, headers, body });
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401 && path !== "/api/login") { showLogin(); throw new Error("log in first"); }
  if (!answer.ok) throw new Error(told.error || `status ${answer.status}`);
  return told;
}

function toast(text) {
  const host = document.getElementById("toast");
  host.replaceChildren(el("span", {}, text));
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => host.replaceChildren(), 6000);
}

async function attempt(work) {
  try { return await work(); } catch (error) { toast(error.message); return undefined; }
}

/** The state in words, a sign and a colour: none of them alone. */
function stateOf(machine) {
  const view = machine.view;
  if (!view) return { sign: "…", text: "Starting", kind: "off" };
  if (view.hidden === "shelved") return { sign: "‖", text: "Shelved", kind: "off" };
  if (view.hidden === "suppressed") return { sign: "‖", text: "Suppressed by schedule", kind: "off" };
  switch (view.phase) {
    case "active_unacknowledged": return { sign: "▲", text: "ALARM", kind: "alarm" };
    case "active_acknowledged": return { sign: "△", text: "Alarm, acknowledged", kind: "seen" };
    case "returned_unacknowledged": return { sign: "▽", text: "Was in alarm", kind: "seen" };
    case "latched_unacknowledged": return { sign: "▼", text: "Latched alarm", kind: "alarm" };
    case "latched_acknowledged": return { sign: "▽", text: "Latched, acknowledged", kind: "seen" };
  }
  if (view.troubles.length) return { sign: "⚠", text: TROUBLE_STATES[view.troubles[0][0]], kind: "seen" };
  if (machine.model_problem) return { sign: "⚠", text: "Model cannot be used", kind: "seen" };
  if (!machine.model) return { sign: "○", text: "Not learned yet", kind: "off" };
  if (view.operating === "off") return { sign: "◻", text: "Machine is off", kind: "off" };
  if (view.operating === "starting") return { sign: "◔", text: "Starting up", kind: "off" };
  if (!view.last) return { sign: "○", text: "Waiting for sound", kind: "off" };
  return { sign: "●", text: "Normal", kind: "normal" };
}

const TROUBLE_STATES = { stalled: "No sound comes", ended: "No sound comes", silent: "Only silence", clipped: "Sound is cut off", other_microphone: "Another sound" };
const TROUBLES = { stalled: "Source stalled", ended: "Source ended", silent: "Silence", clipped: "Clipped", other_microphone: "Does not sound like this machine" };

function since(ms) {
  const seconds = Math.max(0, Math.round((Date.now() - ms) / 1000));
  const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, unit] = steps.find(([size]) => seconds >= size) || steps[3];
  return `${Math.floor(seconds / size)} ${unit}`;
}

function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : String(Number(value.toPrecision(digits)));
}

function counted(count, noun) { return `${count} ${noun}${count === 1 ? "" : "s"}`; }

function title(machine) { return machine.machine ? machine.machine.title : machine.name; }

function stateBadge(machine, big = false) {
  const state = stateOf(machine);
  return el("span", { class: `state ${state.kind}${big ? " big" : ""}` }, el("span", { "aria-hidden": "true" }, state.sign), state.text);
}

function meter(machine) {
  return el("div", { class: "meter", "data-meter": machine.name, role: "img", "aria-label": "Level" }, el("i"));
}

function troubles(machine) {
  return (machine.view ? machine.view.troubles : []).map(([trouble, why]) => el("p", { class: "trouble" }, `⚠ ${TROUBLES[trouble]}: ${why}`));
}

/** How many machines are in alarm, and whether somebody knows. */
function heading(waiting) {
  const active = machines.filter(({ view }) => view && !view.hidden && /^(active|latched)/.test(view.phase)).length;
  const all = counted(machines.length, "machine");
  return active ? `${active} of ${all} in alarm${waiting ? "" : ", acknowledged"}` : `${all}, no alarm`;
}

function showAll() {
  looking = null;
  const order = { alarm: 0, seen: 1, normal: 2, off: 3 };
  const sorted = [...machines].sort((a, b) => order[stateOf(a).kind] - order[stateOf(b).kind] || a.name.localeCompare(b.name));
  const alarms = machines.filter((machine) => stateOf(machine).kind === "alarm").length;
  document.title = alarms ? `(${alarms}) offkey` : "offkey";
  const cards = sorted.map((machine) => {
    const view = machine.view, last = view && view.last;
    return el("li", {}, el("a", { class: `card ${stateOf(machine).kind}`, href: `#/machine/${machine.name}`, "data-machine": machine.name },
      el("span", { class: "name" }, title(machine)),
      machine.machine && machine.machine.place ? el("span", { class: "soft" }, ` · ${machine.machine.place}`) : null,
      el("div", {}, stateBadge(machine, true)),
      el("p", { class: "soft" }, view ? `for ${since(view.since_ms)}` : ""),
      ...troubles(machine),
      view && view.reason && view.phase !== "normal" ? el("p", {}, view.reason) : null,
      meter(machine),
      el("p", { class: "soft" }, `Score ${number(last && last.score)} · p ${number(last && last.p_value, 2)}`)));
  });
  main.replaceChildren(el("h1", {}, heading(alarms)),
    el("ul", { class: "grid" }, ...cards));
}

const SPANS = [["Hour", 36e5], ["Day", 864e5], ["Week", 6048e5], ["Year", 366 * 864e5]];
let spanMs = 36e5;

async function showMachine(name) {
  const turn = ++drawn;
  const machine = await attempt(() => call(`/api/machines/${name}`));
  if (turn !== drawn) return;
  if (!machine) {
    main.replaceChildren(el("p", {}, el("a", { href: "#/" }, "← All machines")), el("p", {}, `The machine “${name}” cannot be shown: it may have been removed.`));
    return;
  }
  const path = `/api/machines/${name}`, view = machine.view;
  document.title = `${title(machine)}: ${stateOf(machine).text}`;
  const chart = el("div", { id: "chart" }), summary = el("p", { class: "soft" }), budget = el("div", { id: "budget" });
  const events = el("ul", { class: "events", id: "events" }), bank = el("div", { id: "bank" });
  look(name);
  const spans = SPANS.map(([label, ms]) => el("button", { "aria-pressed": String(ms === spanMs), onclick: () => { spanMs = ms; showMachine(name); } }, label));
  main.replaceChildren(
    el("p", {}, el("a", { href: "#/" }, "← All machines")),
    el("h1", {}, title(machine)),
    el("div", { id: "state" }, stateBadge(machine, true), el("p", { class: "soft" }, view ? `for ${since(view.since_ms)}` : ""), ...troubles(machine)),
    view && view.reason && view.phase !== "normal" ? el("p", {}, view.reason) : "",
    buttons(machine, path),
    machine.model_problem ? el("p", { class: "trouble" }, `⚠ The model cannot be used: ${machine.model_problem}`) : "",
    liveSection(machine),
    el("section", {}, el("h2", {}, "Anomaly score"), el("div", { class: "row", role: "group", "aria-label": "Time shown" }, ...spans), chart, summary, budget),
    el("section", {}, el("h2", {}, "Events"), events),
    bank,
    fleetSection(machine, path),
    setUp(machine, path));
  showTrend = async () => {
    const to = Date.now(), from = to - spanMs;
    const points = await attempt(() => call(`${path}/trend?from_ms=${from}&to_ms=${to + 60000}`));
    if (!points || turn !== drawn) return;
    const { windows, alarmed } = trendChart(chart, points, from, to);
    budget.replaceChildren(...falseAlarmBudget(machine.model, windows, alarmed));
    summary.textContent = windows ? `${windows} windows, ${alarmed} alarmed (${number(100 * alarmed / windows, 2)} %). ${machine.model ? `Promise: ${machine.model.promise}.` : ""}` : "No windows in this time.";
  };
  await showTrend();
  await showEvents(name, path, events, turn);
  await showBank(path, bank, turn);
}

function buttons(machine, path) {
  const view = machine.view;
  if (!view) return "";
  const act = (label, verb, body, main) => el("button", { class: main ? "main" : null, "data-act": verb, onclick: () => attempt(async () => { await call(`${path}/${verb}`, "POST", body); toast(`${label}: done`); showMachine(machine.name); }) }, label);
  const waits = /unacknowledged/.test(view.phase);
  const shelve = el("select", { "aria-label": "Shelve for" }, ...["1h", "8h", "1d", "7d"].map((time) => el("option", { value: time }, time)));
  return el("div", { class: "row" },
    waits ? act("Acknowledge", "acknowledge", {}, true) : null,
    view.phase === "latched_acknowledged" ? act("Reset", "reset", {}, true) : null,
    view.hidden === "shelved" ? act("Unshelve", "unshelve", {}) : el("span", { class: "row" }, shelve, el("button", { "data-act": "shelve", onclick: () => attempt(async () => { await call(`${path}/shelve`, "POST", { for: shelve.value }); showMachine(machine.name); }) }, "Shelve")));
}

const KINDS = {
  "alarm.began": "Alarm", "alarm.again": "The same alarm again", "alarm.escalated": "Nobody acknowledged", "alarm.acknowledged": "Acknowledged",
  "alarm.returned": "Sounds normal again", "alarm.cleared": "Alarm over", "alarm.shelved": "Shelved", "alarm.unshelved": "No longer shelved",
  "alarm.suppressed": "Suppressed", "alarm.unsuppressed": "No longer suppressed", "machine.off": "Machine off", "machine.running": "Machine running",
  "feedback.normal": "Called normal", "feedback.fault": "Called a fault", "feedback.undone": "Feedback taken back", "source.left_out": "Left out", "model.changed": "Another model", "model.tried": "A model is tried", "model.trial_over": "A trial is over", "source.differs": "Recorded otherwise",
};

function kindText(kind) {
  const match = /^source\.([a-z_]+?)(\.over)?$/.exec(kind);
  if (KINDS[kind]) return KINDS[kind];
  return match && TROUBLES[match[1]] ? `${TROUBLES[match[1]]}${match[2] ? ": over" : ""}` : kind;
}

/** Why, as people read it: what was said about an event goes without the event's name. */
function reasonOf(event) {
  return event.kind.startsWith("feedback.") ? event.reason.split(": ").slice(1).join(": ") : event.reason;
}

async function showEvents(name, path, list, turn) {
  const found = await attempt(() => Promise.all([call(`${path}/events?most=40`), call(`${path}/feedback`)]));
  if (!found || turn !== drawn) return;
  const [events, feedback] = found;
  const standing = feedback.filter((row) => row.undone_ms === null);
  list.replaceChildren(...events.map((event) => {
    const item = el("li", { "data-kind": event.kind }, el("strong", {}, kindText(event.kind)),
      el("span", { class: "soft" }, ` ${new Date(event.at_ms).toLocaleString()}${event.who ? ` · by ${event.who}` : ""}`),
      reasonOf(event) ? el("p", {}, reasonOf(event)) : null);
    if (event.score !== null && event.kind === "alarm.began") item.append(el("p", { class: "soft" }, `Score ${number(event.score)} · p ${number(event.p_value, 2)}`));
    if (event.clip) item.append(sound(event));
    if (event.kind === "alarm.began" && event.clip && event.clip.endsWith(".wav")) item.append(compareButton(path, event));
    if (event.kind === "alarm.began") item.append(feedbackButtons(name, path, event, standing.filter((row) => row.event === event.id)));
    return item;
  }));
  if (!events.length) list.replaceChildren(el("li", {}, "Nothing has happened yet."));
}

function sound(event) { return player(`/api/clips/${event.clip}`, event.clip.endsWith(".json")); }

/** A sound with its spectrogram, or the picture that is kept instead of sound. */
function player(source, isPicture) {
  const canvas = el("canvas", { role: "img", "aria-label": "Spectrogram of the sound: time to the right, frequency upwards" });
  if (isPicture) {
    const draw = el("button", { "data-act": "picture", onclick: () => attempt(async () => { const { columns } = await call(source); draw.replaceWith(canvas); drawColumns(canvas, columns); }) }, "Show spectrogram");
    return el("div", {}, el("p", { class: "soft" }, "A coarse picture is kept, no sound."), el("div", { class: "row" }, draw));
  }
  const show = el("button", { onclick: () => attempt(async () => {
    const bytes = await (await fetch(source)).arrayBuffer();
    const { samples } = wavSamples(bytes);
    show.replaceWith(canvas);
    spectrogram(canvas, samples);
  }) }, "Show spectrogram");
  return el("div", {}, el("audio", { controls: true, preload: "none", src: source }), el("div", { class: "row" }, show));
}

/** Where an alarm lies among what is normal, and the nearest normal sound. */
function compareButton(path, event) {
  const host = el("div", {});
  host.append(el("div", { class: "row" }, el("button", { "data-act": "compare", onclick: () => attempt(async () => {
    const map = await call(`${path}/events/${encodeURIComponent(event.id)}/map`);
    const kept = map.nearest_kept, source = kept && `${path}/normals/${encodeURIComponent(kept)}`;
    host.replaceChildren(mapChart(map, host.clientWidth),
      el("p", { class: "soft" }, `Triangles: windows of this sound. Rings: ${counted(map.normals.length, "normal window")}. Square: the nearest normal window. Up: how unusual, in deviations of normal windows that were held out. Right: along the direction in which normal windows differ most, by ${map.member}.`),
      map.nearest ? el("p", {}, `Nearest normal: ${map.nearest[0].split("/").pop()} at ${number(map.nearest[1])} s`) : "",
      !kept ? "" : kept.endsWith(".wav") ? player(source, false) : el("audio", { controls: true, preload: "none", src: source }));
  }) }, "Compare with normal sound")));
  return host;
}

/** What people called a fault, kept for good. */
async function showBank(path, host, turn) {
  const faults = await attempt(() => call(`${path}/faults`));
  if (!faults || turn !== drawn || !faults.length) return;
  host.replaceChildren(el("section", {}, el("h2", {}, "Confirmed faults"), el("p", { class: "soft" }, "Kept until they are taken back, whatever the quota."),
    el("ul", { class: "events" }, ...faults.map((fault) => el("li", {}, el("strong", {}, fault.name || "Fault without a name"),
      el("span", { class: "soft" }, ` ${new Date(fault.at_ms).toLocaleString()}`),
      fault.kept ? player(`${path}/faults/${encodeURIComponent(fault.event)}`, fault.kept === "json") : el("p", { class: "soft" }, "Without sound."))))));
}

function feedbackButtons(name, path, event, standing) {
  const row = el("div", { class: "row" });
  const say = (body) => attempt(async () => {
    let answer;
    try { answer = await call(`${path}/feedback`, "POST", body); } catch (error) {
      if (body.kind !== "normal" || body.force || !confirm(`${error.message}\n\nCall it normal all the same? A fault once called normal is not reported again.`)) throw error;
      answer = await call(`${path}/feedback`, "POST", { ...body, force: true });
    }
    toast(answer.told ? `That is noted; ${answer.told}.` : "Thank you, that is noted.");
    showMachine(name);
  });
  for (const said of standing) {
    row.append(el("span", {}, said.kind === "normal" ? "✓ Called normal" : `✓ Called a fault${said.name ? `: ${said.name}` : ""}`),
      el("button", { onclick: () => attempt(async () => { await call(`${path}/feedback/undo`, "POST", { id: said.id }); showMachine(name); }) }, "Take back"));
  }
  if (!standing.length) {
    if (event.clip && event.clip.endsWith(".wav")) row.append(el("button", { "data-act": "normal", onclick: () => say({ event: event.id, kind: "normal" }) }, "This was normal"));
    row.append(el("button", { "data-act": "fault", onclick: () => { const fault = prompt("What was it?"); if (fault !== null) say({ event: event.id, kind: "fault", name: fault || null }); } }, "This was a fault"));
  }
  return row;
}

/** Which model of the fleet judges, which one is tried beside it, and how they compare. */
function fleetSection(machine, path) {
  const state = machine.fleet;
  if (!state) return "";
  const decide = (label, verb, question) => el("button", { "data-act": `fleet-${verb}`, onclick: () => attempt(async () => { if (!confirm(question)) return; await call(`${path}/fleet/${verb}`, "POST", {}); toast(`${label}: done`); showMachine(machine.name); }) }, label);
  const compared = el("div", { id: "compared" });
  const host = el("section", { id: "fleet" }, el("h2", {}, "Models of the fleet"),
    el("p", {}, `In use: ${state.model || "one of its own"}${state.by_hand ? ", decided here: the plan counts again once it wants something else" : ""}.`),
    state.refused ? el("p", { class: "trouble" }, `⚠ Cannot be used: ${state.refused}`) : null,
    state.tried ? el("p", {}, `Tried beside it: ${state.tried}. It calls nobody.`) : null, compared,
    el("div", { class: "row" },
      state.tried ? decide("Use the tried one", "promote", `Judge with ${state.tried} from now on?`) : null,
      state.tried ? decide("Drop the tried one", "drop", `Try ${state.tried} no longer?`) : null,
      state.has_earlier ? decide("Back to the earlier one", "back", `Judge with ${state.earlier || "the machine's own model"} again?`) : null));
  if (state.tried) attempt(async () => {
    const { compared: sums } = await call(`${path}/fleet`);
    if (!sums || !sums.windows) { compared.replaceChildren(el("p", { class: "soft" }, "No window was judged by both yet.")); return; }
    const row = (what, count) => el("tr", {}, el("th", { scope: "row" }, what), el("td", {}, String(count)));
    compared.replaceChildren(el("table", {}, el("tbody", {}, row("Windows judged by both", sums.windows), row("Both alarm", sums.both),
      row("Only the one in use alarms", sums.only_live), row("Only the tried one alarms", sums.only_shadow))));
  });
  return host;
}

/** Normals in, a model out. */
function setUp(machine, path) {
  const host = el("section", { id: "setup" }, el("h2", {}, machine.model ? "Model" : "Set up: learn what is normal"));
  if (machine.model) host.append(el("p", {}, machine.model.promise), el("p", { class: "soft" }, `Windows of ${number(machine.model.window_s)} s, one every ${number(machine.model.every_s)} s`));
  if (machine.model) host.append(selfTest(path));
  const told = el("p", { id: "normals", class: "soft" }, "…"), said = el("div", { id: "learning" });
  const files = el("input", { type: "file", multiple: true, accept: ".wav,.flac,audio/wav,audio/flac", id: "files" });
  const count = () => attempt(async () => {
    const normals = await call(`${path}/normals`);
    told.textContent = `${counted(normals.recordings, "normal recording")}, ${number(normals.seconds)} s`;
    learn.disabled = normals.recordings < 2;
  });
  const every = el("input", { type: "number", id: "every", min: "0.1", step: "any", value: machine.model ? String(machine.model.every_s) : "10" });
  const learn = el("button", { class: "main", id: "learn", disabled: true, onclick: () => attempt(async () => { await call(`${path}/learn`, "POST", { every_s: Number(every.value) || null }); follow(); }) }, "Learn");
  files.addEventListener("change", () => attempt(async () => {
    for (const [index, file] of [...files.files].entries()) {
      told.textContent = `Sending ${index + 1} of ${files.files.length}`;
      await call(`${path}/normals`, "POST", file);
    }
    await count();
  }));
  const follow = async () => {
    const state = await attempt(() => call(`${path}/learn`));
    if (!state || !host.isConnected) return;
    const { running, good, said: lines } = state.learning;
    if (running) { said.replaceChildren(el("p", {}, "Learning…"), el("progress")); setTimeout(follow, 500); return; }
    if (good === null) return;
    machines = await call("/api/machines");
    said.replaceChildren(el("p", { class: good ? "" : "trouble" }, good ? `Learned. ${state.model ? state.model.promise : ""}` : "Not learned:"), el("pre", {}, lines.join("\n")));
  };
  host.append(el("details", machine.model ? {} : { open: true }, el("summary", {}, machine.model ? "Learn again" : "Recordings of the machine when it is well"),
    el("p", {}, "Choose at least five recordings (WAV or FLAC), made on different days where possible, with the same microphone."),
    el("label", { for: "files" }, "Recordings "), files, told, sourceButton(machine, path, count), recordButton(path, count), el("label", { for: "every" }, "Seconds from one judged window to the next "), every, el("div", { class: "row" }, learn,
      el("button", { onclick: () => attempt(async () => { await call(`${path}/normals`, "DELETE"); await count(); }) }, "Remove the recordings")), said));
  count();
  follow();
  return host;
}

/** How many windows may alarm falsely in this time by the promise, and how many alarmed. */
function falseAlarmBudget(model, windows, alarmed) {
  if (!model || model.at_most === null || !windows) return [];
  const allowed = model.at_most * windows, used = alarmed / allowed;
  const told = `False-alarm budget: ${number(allowed)} of ${windows} windows may alarm falsely on average (${number(100 * model.at_most, 2)} %); ${alarmed} alarmed, true alarms included.`;
  const bar = el("i", {});
  bar.style.width = `${Math.min(100, 100 * used)}%`;
  const meter = el("div", { class: "meter", role: "img", "aria-label": `${Math.round(100 * used)} % of the budget` }, bar);
  return [el("p", { class: "soft" }, told), meter, used > 1 ? el("p", { class: "trouble" }, "More than that: the machine is faulty, or it or its surroundings changed since it was learned.") : ""];
}

/** Which planted faults the model finds, and how loud they have to be. */
function selfTest(path) {
  const host = el("div", { id: "selftest" });
  const button = el("button", { "data-act": "selftest", onclick: () => attempt(async () => {
    button.disabled = true;
    try {
      const test = await call(`${path}/selftest`, "POST", {});
      const found = (fault) => fault.found_from_db === null ? "not told from which level on" : `found from ${fault.found_from_db} dB on`;
      host.replaceChildren(el("p", { class: "soft" }, `Faults were planted into ${test.windows} normal windows. Bars: how many alarm with a fault so loud (dB, relative to the window) and not without it. Lines: 95 % intervals. Dashed: cannot be judged, which is told too.`),
        el("div", { class: "faults" }, ...test.faults.map((fault) => el("figure", {}, el("figcaption", {}, el("strong", {}, fault.fault), `, ${found(fault)}`), faultChart(fault, test.levels_db)))));
    } finally { button.disabled = false; }
  }) }, "Self-test");
  host.append(button);
  return host;
}

function showLogin() {
  drawn++;
  const password = el("input", { type: "password", id: "password", autocomplete: "current-password", required: true });
  const form = el("form", { onsubmit: (event) => { event.preventDefault(); attempt(async () => { csrf = (await call("/api/login", "POST", { password: password.value })).csrf; begin(); }); } },
    el("h1", {}, "Log in"), el("label", { for: "password" }, "Password"), password, el("div", { class: "row" }, el("button", { class: "main" }, "Log in")));
  main.replaceChildren(el("section", {}, form));
  password.focus();
}

function route() {
  drawn++;
  showTrend = null;
  const match = /^#\/machine\/([a-z0-9_-]+)$/.exec(location.hash);
  if (match) showMachine(match[1]); else showAll();
  main.focus({ preventScroll: true });
}

function level(name, decibels) {
  const part = Math.max(0, Math.min(100, 100 + decibels / 0.8));
  for (const bar of document.querySelectorAll(`[data-meter="${CSS.escape(name)}"] > i`)) bar.style.width = `${part}%`;
  for (const text of document.querySelectorAll(`[data-level="${CSS.escape(name)}"]`)) text.textContent = `${number(decibels)} dB relative to full scale`;
}

/** Draws what changed, at most twice a second, and never while somebody types or listens. */
function redraw(name, essential) {
  const shown = /^#\/machine\/(.+)$/.exec(location.hash);
  if (!shown) { if (!refresh) refresh = setTimeout(() => { refresh = null; if (!/^#\/machine/.test(location.hash)) showAll(); }, essential ? 0 : 500); return; }
  if (shown[1] !== name) return;
  if (essential) showMachine(name);
  else if (showTrend && !refresh) refresh = setTimeout(() => { refresh = null; if (showTrend) showTrend(); }, 3000);
}

/** Which machine is looked at: its picture comes only then. */
function look(name) {
  if (looking === name) return;
  looking = name;
  if (listen.stream) listen(true);
}

/** Follows what happens. `moved`: another machine is looked at, and the page shows it already. */
function listen(moved = false) {
  const link = document.getElementById("link");
  if (listen.stream) listen.stream.close();
  const stream = new EventSource(looking ? `/api/live?machine=${looking}` : "/api/live");
  stream.onopen = async () => {
    link.textContent = "live";
    const found = await attempt(() => call("/api/machines"));
    if (!found) return;
    const before = machines;
    machines = found;
    if (!moved) { route(); health(); return; }
    moved = false;
    // What changed between the two streams.
    const phase = (list) => list.find((machine) => machine.name === looking)?.view?.phase;
    if (phase(before) !== phase(found)) route();
  };
  stream.onerror = () => {
    link.textContent = "no connection, trying again";
    // A refusal ends the stream for good; so look from time to time.
    if (stream.readyState === EventSource.CLOSED) setTimeout(begin, 2000);
  };
  stream.onmessage = (message) => {
    const { type, data } = JSON.parse(message.data);
    if (type === "level") level(data.machine, data.level_db);
    if (type === "spectrum") liveColumn(data);
    if (type === "store") banner(data.trouble);
    if (type === "again") begin();
    if (type === "machine") {
      const machine = machines.find((machine) => machine.name === data.name);
      if (!machine) return;
      const before = machine.view ? `${machine.view.phase}${machine.view.hidden}${machine.view.alarm}${machine.view.operating}${machine.view.troubles.length}` : "";
      const after = `${data.phase}${data.hidden}${data.alarm}${data.operating}${data.troubles.length}`;
      machine.view = data;
      redraw(data.name, before !== after);
    }
  };
  listen.stream = stream;
}

function banner(trouble) {
  const host = document.getElementById("banner");
  host.hidden = !trouble;
  host.textContent = trouble ? `The store cannot be written; alarms go on. ${trouble}` : "";
}

async function health() {
  const found = await attempt(() => call("/api/health"));
  if (!found) return;
  banner(found.store.trouble);
  const repairs = document.getElementById("repairs");
  repairs.hidden = !found.store.repairs.length;
  repairs.textContent = found.store.repairs.join(" ");
}

async function begin() {
  if (listen.stream) listen.stream.close();
  const session = await fetch("/api/session").then((answer) => answer.json()).catch(() => null);
  if (!session) { document.getElementById("link").textContent = "no connection, trying again"; setTimeout(begin, 2000); return; }
  csrf = session.csrf;
  const logout = document.getElementById("logout");
  logout.hidden = session.open || !session.inside;
  logout.onclick = () => attempt(async () => { await call("/api/logout", "POST", {}); begin(); });
  if (!session.inside) { showLogin(); return; }
  listen();
}

window.addEventListener("hashchange", route);
begin();
