// The threshold that can be moved, and the table of clips that follows it.
(() => {
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("#clip-rows > li")];
  const data = $("clips-data") && JSON.parse($("clips-data").textContent);
  const slider = $("threshold-slider");
  const bend = (r) => (r > 2 ? 2 + 2 * Math.log(r / 2) : r < -1 ? -1 - Math.log(-r) : r);
  const straighten = (b) => (b > 2 ? 2 * Math.exp((b - 2) / 2) : b < -1 ? -Math.exp(-1 - b) : b);
  const share = (r) => (bend(r) - data.low) / (data.high - data.low);
  const NAMES = { missed: "missed fault", "false-alarm": "false alarm", found: "found fault", normal: "normal", alarm: "alarm", "no-alarm": "no alarm" };
  const outcome = (clip, threshold) => {
    const isAlarm = data.relative[clip] > threshold;
    return [isAlarm ? "false-alarm" : "normal", isAlarm ? "found" : "missed", isAlarm ? "alarm" : "no-alarm"][data.kind[clip]];
  };
  const say = (id, text) => { if ($(id)) $(id).textContent = text; };
  const ratio = (part, of) => (of ? (part / of).toFixed(2) : "\u2013");
  let counts = {}, perMachine = [];

  // Interval of a share after Wilson, 95 %.
  function wilson(part, of) {
    const z2 = 3.8415, p = part / of, middle = p + z2 / (2 * of), half = Math.sqrt(z2 * (p * (1 - p) / of + z2 / (4 * of * of)));
    return [Math.max(0, (middle - half) / (1 + z2 / of)), Math.min(1, (middle + half) / (1 + z2 / of))];
  }
  const rounded = (value) => (value >= 100 ? Number(value.toPrecision(2)) : value >= 10 ? Math.round(value) : Number(value.toFixed(1))).toLocaleString("en");

  function count(threshold) {
    counts = { found: 0, missed: 0, normal: 0, "false-alarm": 0, alarm: 0, "no-alarm": 0 };
    perMachine = data.machines.map(() => ({ ...counts }));
    for (let clip = 0; clip < data.relative.length; clip++) {
      const which = outcome(clip, threshold);
      counts[which]++;
      perMachine[data.of[data.section[clip]]][which]++;
    }
  }

  function showWeek() {
    const every = $("t-every");
    if (!every) return;
    const normal = counts.normal + counts["false-alarm"], perWeek = 604800 / Number(every.value);
    $("t-week-box").hidden = normal === 0;
    if (!normal) return;
    const [low, high] = wilson(counts["false-alarm"], normal);
    say("t-week", rounded(counts["false-alarm"] / normal * perWeek));
    say("t-week-range", `${rounded(low * perWeek)} to ${rounded(high * perWeek)}`);
  }

  function move(threshold) {
    const clips = $("threshold");
    for (const strips of clips.querySelectorAll(".strips")) strips.style.setProperty("--at", `${100 * share(threshold)}%`);
    $("clip-rows")?.style.setProperty("--at", `${100 * share(threshold)}%`);
    say("threshold-value", threshold.toFixed(2));
    $("threshold-reset").disabled = slider.value === slider.dataset.own;
    slider.setAttribute("aria-valuetext", `${threshold.toFixed(2)} of the run's own threshold`);
    count(threshold);
    const found = counts.found, alarms = found + counts["false-alarm"];
    say("t-recall", ratio(found, found + counts.missed));
    say("t-found", `${found} of ${found + counts.missed}`);
    say("t-precision", ratio(found, alarms));
    say("t-alarms", `${found} of ${alarms} alarms`);
    say("t-false", counts["false-alarm"]);
    say("t-normal", `of ${counts.normal + counts["false-alarm"]} normal clips`);
    say("t-unlabelled", counts.alarm);
    showWeek();
    data.machines.forEach((machine, index) => {
      const row = [...document.querySelectorAll("table.machines tr[data-machine]")].find((row) => row.dataset.machine === machine), of = perMachine[index];
      const tell = (cell, part, all) => { if (row?.querySelector(cell) && all) row.querySelector(cell).textContent = `${part} of ${all}`; };
      tell("td.found", of.found, of.found + of.missed);
      tell("td.false", of["false-alarm"], of.normal + of["false-alarm"]);
    });
    for (const row of rows) {
      if (row.dataset.i === "") continue;
      const which = outcome(Number(row.dataset.i), threshold);
      if (which === row.dataset.outcome) continue;
      row.dataset.outcome = which;
      const tag = row.querySelector(".tag");
      tag.className = `tag ${which}`;
      tag.textContent = NAMES[which];
    }
    filter();
  }

  if (data && slider) {
    document.querySelector(".slide").hidden = false;
    const own = slider.dataset.own;
    const moved = () => move(slider.value === own ? 1 : straighten(data.low + slider.value / 1000 * (data.high - data.low)));
    slider.addEventListener("input", moved);
    $("t-every")?.addEventListener("change", showWeek);
    $("threshold-reset").addEventListener("click", () => { slider.value = own; moved(); });
    // Whom a stroke belongs to.
    const tip = $("strip-tip"), strips = document.querySelector(".strips");
    document.querySelectorAll(".strip:not(.axis)").forEach((strip, section) => {
      const lane = strip.querySelector(".lane"), clips = [];
      data.section.forEach((of, clip) => { if (of === section) clips.push(clip); });
      lane.addEventListener("pointermove", (event) => {
        const box = lane.getBoundingClientRect(), at = (event.clientX - box.left) / box.width, isUpper = event.clientY - box.top < box.height / 2;
        let best = -1, least = 8 / box.width;
        for (const clip of clips) {
          const away = Math.abs(share(data.relative[clip]) - at) + (data.kind[clip] === (isUpper ? 0 : 1) ? 2 / box.width : 0);
          if (away < least) { least = away; best = clip; }
        }
        tip.hidden = best < 0;
        if (best < 0) return;
        tip.textContent = `${data.names[best]} \u00b7 ${["normal", "faulty", "not labelled"][data.kind[best]]} \u00b7 ${data.relative[best].toFixed(2).replace("-", "\u2212")}`;
        const outer = strips.getBoundingClientRect();
        tip.style.left = `${Math.max(0, Math.min(outer.width - tip.offsetWidth, event.clientX - outer.left + 12))}px`;
        tip.style.top = `${box.bottom - outer.top + 4}px`;
      });
      lane.addEventListener("pointerleave", () => { tip.hidden = true; });
    });
    count(1);
    showWeek();
  }

  if (!rows.length) return;
  const FIRST = matchMedia("(max-width: 46rem)").matches ? 12 : 25;
  let shown = FIRST, chosen = "all";
  const buttons = [...document.querySelectorAll("#filters [data-outcome]")];
  const machine = $("filter-machine"), text = $("filter-text"), open = $("filter-open"), more = $("clips-more");
  const isOf = (row, which) => which === "all" || row.dataset.outcome === which || (which === "mistakes" && (row.dataset.outcome === "missed" || row.dataset.outcome === "false-alarm"));
  const isListed = (row) => (!machine?.value || row.dataset.machine === machine.value) && row.dataset.text.includes(text.value.toLowerCase()) && (!open.checked || row.querySelector("details"));

  function filter() {
    const listed = rows.filter(isListed), matching = listed.filter((row) => isOf(row, chosen));
    for (const row of rows) row.hidden = true;
    for (const row of matching.slice(0, shown)) row.hidden = false;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.outcome === chosen));
      button.querySelector("b").textContent = listed.filter((row) => isOf(row, button.dataset.outcome)).length;
    }
    const left = matching.length - Math.min(shown, matching.length);
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, 100)} more`;
    $("clips-shown").textContent = matching.length ? `${Math.min(shown, matching.length)} of ${matching.length} clips shown` : "No clip matches.";
  }
  const again = () => { shown = FIRST; filter(); };
  $("filters").hidden = false;
  $("clips-shown").hidden = false;
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const button of buttons) button.addEventListener("click", () => { chosen = button.dataset.outcome; again(); });
  for (const input of [machine, open]) input?.addEventListener("change", again);
  text.addEventListener("input", again);
  more.addEventListener("click", () => {
    const next = rows.filter((row) => isListed(row) && isOf(row, chosen))[shown];
    shown += 100;
    filter();
    next?.querySelector("summary")?.focus();
  });
  // A link to a clip shows it, whatever is filtered.
  const reveal = () => {
    const row = document.querySelector(":target")?.closest("#clip-rows > li");
    if (!row) return;
    [chosen, text.value, open.checked, shown] = ["all", "", false, Math.max(shown, rows.indexOf(row) + 1)];
    if (machine) machine.value = "";
    filter();
    row.querySelector("details").open = true;
    row.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", reveal);
  if (buttons.some((button) => button.dataset.outcome === "mistakes" && button.querySelector("b").textContent !== "0")) chosen = "mistakes";
  filter();
  reveal();
})();
