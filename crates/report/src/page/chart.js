// Pointing at a chart names the nearest value.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  ring.setAttribute("class", "pointer");
  ring.setAttribute("r", "5");
  const number = (value) => {
    const size = Math.abs(value);
    return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.01 || size === 0 ? value.toFixed(3) : value.toExponential(1);
  };
  const known = new WeakMap();

  // Dots of a chart, and the pieces of its lines, in its own units: from, to, name of the group.
  function pieces(svg) {
    if (known.has(svg)) return known.get(svg);
    const found = [];
    for (const group of svg.querySelectorAll("g[data-name]")) {
      const name = group.dataset.name;
      for (const mark of group.children) {
        if (mark.classList.contains("dot")) {
          const box = mark.getBBox(), at = [box.x + box.width / 2, box.y + box.height / 2];
          found.push([at, at, name]);
          continue;
        }
        const line = [...mark.getAttribute("d").matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
        line.forEach((at, index) => found.push([line[Math.max(0, index - 1)], at, name]));
      }
    }
    known.set(svg, found);
    return found;
  }

  // The place of a piece that is nearest to a point.
  function nearest([[x, y], [toX, toY]], at) {
    const [dx, dy] = [toX - x, toY - y], length = dx * dx + dy * dy;
    const along = length ? Math.max(0, Math.min(1, ((at.x - x) * dx + (at.y - y) * dy) / length)) : 0;
    return [x + along * dx, y + along * dy];
  }

  function pointed(svg, event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const [left, right, bottom, top, xLow, xHigh, yLow, yHigh, xLog, yLog] = svg.dataset.frame.split(" ").map(Number);
    const value = (share, low, high, isLog) => (isLog ? low * (high / low) ** share : low + share * (high - low));
    const valueX = (x) => value((x - left) / (right - left), xLow, xHigh, xLog), valueY = (y) => value((y - bottom) / (top - bottom), yLow, yHigh, yLog);
    if (at.x < left - 8 || at.x > right + 8 || at.y < top - 8 || at.y > bottom + 8) return null;
    if (svg.dataset.bins) {
      const score = valueX(at.x);
      const bin = svg.dataset.bins.split(";").map((bin) => bin.split(" ").map(Number)).find(([from, to]) => from <= score && score <= to);
      if (!bin) return null;
      const counts = ["normal", "anomalous", "not labelled"].map((name, group) => [bin[2 + group], name]).filter(([count]) => count);
      return { text: `${number(bin[0])} to ${number(bin[1])}: ${counts.map((count) => count.join(" ")).join(", ") || "no clip"}` };
    }
    let best = null, least = 30 * 30;
    for (const piece of pieces(svg)) {
      const [x, y] = nearest(piece, at), away = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (away < least) { least = away; best = [x, y, piece[2]]; }
    }
    if (!best) return null;
    const [x, y, name] = best, words = [name, `${svg.dataset.x} ${number(valueX(x))}`];
    if (svg.dataset.y) words.push(`${svg.dataset.y} ${number(valueY(y))}`);
    return { text: words.join(" \u00b7 "), x, y };
  }

  for (const svg of document.querySelectorAll("svg[data-frame]")) {
    const figure = svg.closest("figure");
    if (!figure) continue;
    svg.addEventListener("pointermove", (event) => {
      const found = pointed(svg, event);
      tip.hidden = !found;
      if (!found || found.x === undefined) ring.remove();
      if (!found) return;
      figure.append(tip);
      tip.textContent = found.text;
      const box = figure.getBoundingClientRect();
      tip.style.left = `${Math.max(0, Math.min(box.width - tip.offsetWidth, event.clientX - box.left + 12))}px`;
      tip.style.top = `${event.clientY - box.top + 16}px`;
      if (found.x === undefined) return;
      ring.setAttribute("cx", found.x);
      ring.setAttribute("cy", found.y);
      svg.append(ring);
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; ring.remove(); });
  }
})();
