(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  if (!$("map-data")) return;
  const data = JSON.parse($("map-data").textContent);
  const canvas = $("map-canvas"), tip = $("map-tip"), panel = $("map-panel"), legend = $("map-legend");
  const GRID = 9999, count = data.names.length;
  const scored = data.scores.filter((score) => score !== null);
  const [lowest, highest] = quantiles(scored);
  // As the axis of all scores is bent: strong faults do not press the others together.
  const scaled = (r) => (r > 2 ? 2 + 2 * Math.log(r / 2) : r < -1 ? -1 - Math.log(-r) : r);
  // The most anomalous are drawn last, above the others.
  const rising = data.scores.map((_, point) => point).sort((a, b) => (data.scores[a] ?? -Infinity) - (data.scores[b] ?? -Infinity));
  let view = { x: GRID / 2, y: GRID / 2, span: GRID * 1.06 };
  let hovered = -1, chosen = -1, hidden = new Set(), colorBy = $("map-color").value;

  // The range that colours cover: all but the most extreme hundredth at each end.
  function quantiles(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (share) => sorted[Math.round((sorted.length - 1) * share)];
    return sorted.length ? [at(0.01), at(0.99)] : [0, 1];
  }
  const signed = (score) => score.toFixed(2).replace("-", "\u2212");
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const grouping = () => (colorBy === "score" ? null : data.groups[colorBy]);
  const kindOf = (point) => (grouping() ? grouping().of[point] : 0);
  const isShown = (point) => !grouping() || !hidden.has(kindOf(point));

  // From pale to strong, whatever the paper: 33 steps between the five stops of the style.
  function ramp() {
    const stops = Array.from({ length: 5 }, (_, index) => style(`--r${index}`));
    const channels = (stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16));
    return Array.from({ length: 33 }, (_, step) => {
      const below = Math.min(3, Math.floor(step / 8)), share = step / 8 - below;
      const [a, b] = [channels(stops[below]), channels(stops[below + 1])];
      return `rgb(${a.map((value, channel) => Math.round(value + share * (b[channel] - value))).join(" ")})`;
    });
  }

  function scoreColor(colors, score) {
    if (score === null) return null;
    const share = (scaled(Math.max(lowest, score)) - scaled(lowest)) / (scaled(highest) - scaled(lowest) || 1);
    return colors[Math.round(Math.min(1, share) * 32)];
  }

  function place(point) {
    const scale = canvas.clientWidth / view.span;
    return [
      (data.x[point] - view.x) * scale + canvas.clientWidth / 2,
      (view.y - data.y[point]) * scale + canvas.clientHeight / 2,
    ];
  }

  // Circle, triangle, square, diamond: groups stay apart without colour, and 24 with it.
  const shapeOf = (kind) => (kind + Math.floor(kind / 12)) % 4;
  function trace(brush, shape, x, y, size) {
    brush.beginPath();
    if (shape === 0) brush.arc(x, y, size, 0, 7);
    else if (shape === 1) { brush.moveTo(x, y - size * 1.3); brush.lineTo(x + size * 1.2, y + size * 0.8); brush.lineTo(x - size * 1.2, y + size * 0.8); }
    else if (shape === 2) brush.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
    else { brush.moveTo(x, y - size * 1.3); brush.lineTo(x + size * 1.3, y); brush.lineTo(x, y + size * 1.3); brush.lineTo(x - size * 1.3, y); }
    brush.closePath();
  }

  function ring(brush, point, width) {
    if (point < 0) return;
    const [x, y] = place(point);
    brush.strokeStyle = style("--ink");
    brush.lineWidth = width;
    brush.beginPath();
    brush.arc(x, y, 8, 0, 7);
    brush.stroke();
  }

  const redraw = () => {
    const density = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * density;
    canvas.height = height * density;
    const brush = canvas.getContext("2d");
    brush.scale(density, density);
    const colors = Array.from({ length: 6 }, (_, index) => style(`--g${index}`));
    const size = Math.max(1.7, Math.min(4, 90 / Math.sqrt(count))) * Math.min(2, Math.sqrt(GRID / view.span));
    const scoreColors = grouping() ? [] : ramp(), unscored = style("--rule");
    brush.globalAlpha = count > 3000 ? 0.6 : 0.8;
    for (const point of rising) {
      if (!isShown(point)) continue;
      const [x, y] = place(point);
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      const kind = kindOf(point);
      brush.fillStyle = grouping() ? colors[kind % 6] : scoreColor(scoreColors, data.scores[point]) ?? unscored;
      trace(brush, shapeOf(kind), x, y, size);
      brush.fill();
      if (data.cards[point] !== null) {
        brush.strokeStyle = style("--ink");
        brush.lineWidth = 1;
        brush.stroke();
      }
    }
    brush.globalAlpha = 1;
    ring(brush, chosen, 2.5);
    ring(brush, hovered, 1.2);
  };

  function words(point) {
    const facts = [data.names[point]];
    for (const group of data.groups) if (group.name !== "machine" || !data.groups.some((other) => other.name === "section")) facts.push(group.words[group.of[point]]);
    if (data.scores[point] !== null) facts.push(`relative score ${signed(data.scores[point])}`);
    return facts.join(" \u00b7 ");
  }

  function nearestTo(x, y, within) {
    let best = -1, least = within * within;
    for (let point = 0; point < count; point++) {
      if (!isShown(point)) continue;
      const [px, py] = place(point), square = (px - x) ** 2 + (py - y) ** 2;
      if (square < least) { least = square; best = point; }
    }
    return best;
  }

  function hover(point) {
    hovered = point;
    tip.hidden = point < 0;
    if (point >= 0) {
      tip.textContent = words(point);
      const [x, y] = place(point), room = canvas.clientWidth - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(room, x + 12))}px`;
      tip.style.top = `${canvas.offsetTop + Math.min(canvas.clientHeight - tip.offsetHeight, y + 12)}px`;
    }
    redraw();
  }

  function choose(point, withSound = true) {
    if (point < 0) return;
    chosen = point;
    panel.replaceChildren();
    const row = data.cards[point] === null ? null : $(`clip-${data.cards[point]}`);
    if (row) {
      panel.append(...row.querySelector("article").cloneNode(true).childNodes);
      const link = document.createElement("a");
      link.href = `#${row.id}`;
      link.textContent = "To its place among the clips";
      panel.append(link);
      if (withSound) panel.querySelector("audio")?.play().catch(() => {});
    } else {
      const title = document.createElement("h4"), known = document.createElement("p"), note = document.createElement("p");
      title.textContent = data.names[point];
      known.className = "known";
      known.textContent = words(point).slice(data.names[point].length + 3);
      note.className = "remark";
      note.textContent = "This clip is not among those shown with sound and spectrogram; points with a dark rim are.";
      panel.append(title, known, note);
    }
    redraw();
  }

  function drawLegend() {
    legend.replaceChildren();
    if (!grouping()) {
      const key = document.createElement("span");
      key.className = "ramp";
      key.append(signed(lowest), document.createElement("i"), `${signed(highest)} and above; 1 is the threshold; palest: not scored`);
      legend.append(key);
      return;
    }
    grouping().words.slice(0, 60).forEach((word, kind) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden.has(kind)));
      const marks = ['<circle cx="5" cy="5" r="4"/>', '<path d="M5 .5l4.5 8h-9z"/>', '<path d="M1 1h8v8H1z"/>', '<path d="M5 0l5 5-5 5-5-5z"/>'];
      button.innerHTML = `<svg viewBox="0 0 10 10" aria-hidden="true" style="fill:var(--g${kind % 6})">${marks[shapeOf(kind)]}</svg>`;
      button.append(word);
      button.addEventListener("click", () => {
        if (!hidden.delete(kind)) hidden.add(kind);
        button.setAttribute("aria-pressed", String(!hidden.has(kind)));
        redraw();
      });
      legend.append(button);
    });
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const span = Math.max(GRID / 60, Math.min(GRID * 1.06, view.span * factor));
    const scale = (view.span - span) / canvas.clientWidth;
    view = { x: view.x + (x - canvas.clientWidth / 2) * scale, y: view.y - (y - canvas.clientHeight / 2) * scale, span };
    redraw();
  }

  // The next point in the direction of an arrow key: near, and not far to the side.
  function walk(dx, dy) {
    if (chosen < 0 && hovered < 0) return hover(nearestTo(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity));
    const [x, y] = place(hovered < 0 ? chosen : hovered);
    let best = -1, least = Infinity;
    for (let point = 0; point < count; point++) {
      if (!isShown(point)) continue;
      const [px, py] = place(point), along = (px - x) * dx + (py - y) * dy;
      if (along <= 0.5) continue;
      const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx), cost = along + 3 * aside;
      if (cost < least) { least = cost; best = point; }
    }
    if (best >= 0) hover(best);
  }

  let drag = null;
  canvas.addEventListener("pointerdown", (event) => { drag = { x: event.offsetX, y: event.offsetY, view, moved: false }; });
  canvas.addEventListener("pointermove", (event) => {
    if (drag && event.buttons && event.pointerType === "mouse") {
      const scale = view.span / canvas.clientWidth, dx = event.offsetX - drag.x, dy = event.offsetY - drag.y;
      if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
      if (drag.moved) { view = { ...drag.view, x: drag.view.x - dx * scale, y: drag.view.y + dy * scale }; redraw(); return; }
    }
    hover(nearestTo(event.offsetX, event.offsetY, 14));
  });
  canvas.addEventListener("pointerleave", () => { drag = null; hover(-1); });
  canvas.addEventListener("click", (event) => {
    if (!drag?.moved) choose(nearestTo(event.offsetX, event.offsetY, 18));
    drag = null;
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (arrows[event.key]) walk(...arrows[event.key]);
    else if (event.key === "Enter" || event.key === " ") choose(hovered);
    else if (event.key === "+" || event.key === "=") zoom(1 / 1.5);
    else if (event.key === "-") zoom(1.5);
    else return;
    event.preventDefault();
  });
  $("map-in").addEventListener("click", () => zoom(1 / 1.5));
  $("map-out").addEventListener("click", () => zoom(1.5));
  $("map-all").addEventListener("click", () => { view = { x: GRID / 2, y: GRID / 2, span: GRID * 1.06 }; redraw(); });
  $("map-color").addEventListener("change", () => { colorBy = $("map-color").value; hidden = new Set(); drawLegend(); redraw(); });
  new ResizeObserver(() => redraw()).observe(canvas);
  document.addEventListener("theme", () => redraw());
  drawLegend();
  const first = document.querySelector("#clip-rows details");
  choose(data.cards.findIndex((card) => first && `clip-${card}` === first.id), false);
  redraw();
})();
