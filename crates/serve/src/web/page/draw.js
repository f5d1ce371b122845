"use strict";
// Charts as SVG and spectrograms as pictures, drawn here from numbers.

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Round numbers between two values. */
function ticks(low, high, about) {
  const raw = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(value);
  return found;
}

function short(value) {
  return Math.abs(value) >= 1000 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}

/** The score over time: a band from mean to largest, a dot where windows alarmed. */
function trendChart(host, points, fromMs, toMs) {
  const width = Math.max(300, host.clientWidth || 600), height = 190;
  const left = 44, right = 8, top = 8, bottom = 24;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img" });
  const judged = points.filter((point) => point.score !== null);
  const high = judged.length ? Math.max(1e-9, ...judged.map((point) => point.score_max)) : 1;
  const low = Math.min(0, ...judged.map((point) => point.score));
  const x = (ms) => left + (width - left - right) * (ms - fromMs) / (toMs - fromMs);
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
  for (const value of ticks(low, high, 4)) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: "var(--line)" }));
    const text = svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end", "font-size": 12, fill: "var(--soft)" });
    text.textContent = short(value);
    chart.append(text);
  }
  const span = toMs - fromMs;
  const form = span > 3 * 864e5 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const parts = width < 480 ? 2 : 4;
  for (let part = 0; part <= parts; part++) {
    const ms = fromMs + span * part / parts;
    const anchor = part === 0 ? "start" : part === parts ? "end" : "middle";
    const text = svg("text", { x: x(ms), y: height - 6, "text-anchor": anchor, "font-size": 12, fill: "var(--soft)" });
    text.textContent = new Date(ms).toLocaleString([], form);
    chart.append(text);
  }
  // A gap in time is a gap in the line.
  const steps = judged.slice(1).map((point, index) => point.at_ms - judged[index].at_ms).sort((a, b) => a - b);
  const gap = 5 * (steps[steps.length >> 1] || 60000);
  let mean = "", most = "", before = null;
  for (const point of judged) {
    const move = before === null || point.at_ms - before > gap ? "M" : "L";
    mean += `${move}${x(point.at_ms).toFixed(1)} ${y(point.score).toFixed(1)}`;
    most += `${move}${x(point.at_ms).toFixed(1)} ${y(point.score_max).toFixed(1)}`;
    before = point.at_ms;
  }
  if (points.some((point) => point.windows > 1)) chart.append(svg("path", { d: most, fill: "none", stroke: "var(--soft)", "stroke-width": 1, "stroke-dasharray": "3 2" }));
  chart.append(svg("path", { d: mean, fill: "none", stroke: "var(--mark)", "stroke-width": 1.6 }));
  const alarms = judged.filter((point) => point.alarms > 0);
  for (const point of alarms.slice(-600)) {
    const [cx, cy] = [x(point.at_ms), y(point.score_max)];
    chart.append(svg("path", { d: `M${cx - 4} ${cy + 4}L${cx} ${cy - 4}L${cx + 4} ${cy + 4}Z`, fill: "var(--bad)" }));
  }
  const windows = points.reduce((sum, point) => sum + point.windows, 0);
  const alarmed = points.reduce((sum, point) => sum + point.alarms, 0);
  chart.setAttribute("aria-label", `Anomaly score: ${windows} windows, ${alarmed} of them alarm`);
  host.replaceChildren(chart);
  return { windows, alarmed };
}

/** Normal windows as rings, the windows of an alarm as triangles, the nearest normal window as a square. */
function mapChart(map, room) {
  const width = Math.max(280, Math.min(700, room || 600)), height = 280, left = 44, right = 12, top = 14, bottom = 14;
  const all = [...map.normals, ...map.windows];
  const [low, high] = [Math.min(0, ...all.map((point) => point.deviations)), Math.max(1, ...all.map((point) => point.deviations))];
  const [west, east] = [Math.min(-1, ...all.map((point) => point.along)), Math.max(1, ...all.map((point) => point.along))];
  const x = (value) => left + (width - left - right) * (value - west) / (east - west);
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
  const words = `${map.windows.length} windows of this sound among ${map.normals.length} normal windows`;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "map", role: "img", "aria-label": words });
  for (const value of ticks(low, high, 5)) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: "var(--line)" }));
    const text = svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end", "font-size": 12, fill: "var(--soft)" });
    text.textContent = short(value);
    chart.append(text);
  }
  const isNearest = (point) => map.nearest && point.recording === map.nearest[0] && point.at_s === map.nearest[1];
  for (const point of map.normals) {
    const [cx, cy] = [x(point.along), y(point.deviations)];
    chart.append(isNearest(point) ? svg("rect", { x: cx - 5, y: cy - 5, width: 10, height: 10, fill: "var(--good)", class: "nearest" })
      : svg("circle", { cx, cy, r: 4, fill: "none", stroke: "var(--mark)", "stroke-width": 1.5 }));
  }
  for (const point of map.windows) {
    const [cx, cy] = [x(point.along), y(point.deviations)];
    chart.append(svg("path", { d: `M${cx - 5} ${cy + 5}L${cx} ${cy - 5}L${cx + 5} ${cy + 5}Z`, fill: "var(--bad)" }));
  }
  return chart;
}

/** Of one planted fault, by level: bars for the share of windows that alarm, with their 95 % intervals, and dashed
 * frames on top for those that cannot be judged. */
function faultChart(fault, levels) {
  const width = 260, height = 150, left = 40, right = 6, top = 8, bottom = 22;
  const column = (width - left - right) / levels.length;
  const y = (share) => top + (height - top - bottom) * (1 - share);
  const percent = (share) => `${Math.round(100 * share)} %`;
  const words = levels.map((level, index) => `${percent(fault.detected[index])} at ${level} dB`).join(", ");
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "fault", role: "img", "aria-label": `${fault.fault}: ${words}` });
  const label = (text, attributes) => {
    const element = svg("text", { "font-size": 11, fill: "var(--soft)", ...attributes });
    element.textContent = text;
    chart.append(element);
  };
  for (const share of [0, 0.5, 1]) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), stroke: "var(--line)" }));
    label(percent(share), { x: left - 5, y: y(share) + 4, "text-anchor": "end" });
  }
  levels.forEach((level, index) => {
    const [share, unjudged, [low, high]] = [fault.detected[index], fault.cannot_tell[index], fault.interval[index]];
    const x = left + column * index, middle = x + column / 2;
    const bar = { x: x + 3, width: column - 6 };
    chart.append(svg("rect", { ...bar, y: y(share), height: y(0) - y(share), fill: "var(--mark)" }));
    if (unjudged) chart.append(svg("rect", { ...bar, y: y(share + unjudged), height: y(share) - y(share + unjudged), fill: "none", stroke: "var(--soft)", "stroke-dasharray": "3 2" }));
    chart.append(svg("line", { x1: middle, x2: middle, y1: y(low), y2: y(high), stroke: "var(--text)", "stroke-width": 1.5 }));
    label(String(level), { x: middle, y: height - 7, "text-anchor": "middle" });
  });
  return chart;
}

/** Samples of a WAV file with 16 bits. */
function wavSamples(buffer) {
  const view = new DataView(buffer);
  let at = 12, rate = 16000, channels = 1;
  while (at + 8 <= view.byteLength) {
    const id = String.fromCharCode(...new Uint8Array(buffer, at, 4)), size = view.getUint32(at + 4, true);
    if (id === "fmt ") { channels = view.getUint16(at + 10, true); rate = view.getUint32(at + 12, true); }
    if (id === "data") {
      const count = Math.floor(Math.min(size, view.byteLength - at - 8) / 2 / channels);
      const samples = new Float32Array(count);
      for (let index = 0; index < count; index++) samples[index] = view.getInt16(at + 8 + 2 * channels * index, true) / 32768;
      return { rate, samples };
    }
    at += 8 + size + size % 2;
  }
  return { rate, samples: new Float32Array(0) };
}

/** Fast Fourier transform in place, of a length that is a power of two. */
function fft(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length <<= 1) {
    const angle = -2 * Math.PI / length;
    for (let start = 0; start < size; start += length) {
      for (let k = 0; k < length / 2; k++) {
        const [c, s] = [Math.cos(angle * k), Math.sin(angle * k)];
        const a = start + k, b = a + length / 2;
        const [re, im] = [real[b] * c - imaginary[b] * s, real[b] * s + imaginary[b] * c];
        [real[b], imaginary[b]] = [real[a] - re, imaginary[a] - im];
        real[a] += re;
        imaginary[a] += im;
      }
    }
  }
}

/** A spectrogram: time to the right, frequency upwards, 80 dB from dark to light. */
function spectrogram(canvas, samples) {
  const size = 512, bins = size / 2, columns = Math.min(400, Math.max(1, Math.floor((samples.length - size) / 128)));
  canvas.width = columns;
  canvas.height = bins;
  const context = canvas.getContext("2d"), picture = context.createImageData(columns, bins);
  const levels = new Float32Array(columns * bins);
  let most = -Infinity;
  for (let column = 0; column < columns; column++) {
    const start = Math.floor(column * Math.max(0, samples.length - size) / Math.max(1, columns - 1));
    const real = new Float32Array(size), imaginary = new Float32Array(size);
    for (let index = 0; index < size; index++) real[index] = (samples[start + index] || 0) * (0.5 - 0.5 * Math.cos(2 * Math.PI * index / size));
    fft(real, imaginary);
    for (let bin = 0; bin < bins; bin++) {
      const level = 10 * Math.log10(real[bin] ** 2 + imaginary[bin] ** 2 + 1e-12);
      levels[column * bins + bin] = level;
      most = Math.max(most, level);
    }
  }
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < bins; bin++) {
      const part = Math.max(0, 1 + (levels[column * bins + bin] - most) / 80);
      const at = 4 * ((bins - 1 - bin) * columns + column);
      [picture.data[at], picture.data[at + 1], picture.data[at + 2]] = levelColour(part);
      picture.data[at + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}
