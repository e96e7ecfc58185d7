"use strict";
// The page's arithmetic is that of the derivation: z, sigma, the loss and (4.61). Nothing here reaches the network.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// ---------------------------------------------------------------- the formulas, stable as in the package
const sigma = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
const loss = (z, y) => Math.abs(z) * (z >= 0 ? 1 - y : y) + Math.log1p(Math.exp(-Math.abs(z)));
const residual = (z, y) => (1 - y) * sigma(z) - y * sigma(-z);
const dot = (u, v) => u.reduce((sum, entry, i) => sum + entry * v[i], 0);

// What each line of the derivation says in numbers; s = sigma(z), q = 1 - s.
const LINES = {
  "4.57": ({ s, q }) => s * q,
  "4.59": (v) => residual(v.z, v.y) * v.x,
  "4.59.2": ({ s, q, y, x }) => -(y * ((1 / s) * s * q * x) + (1 - y) * ((1 / q) * -s * q * x)),
  "4.60": ({ s, q, y, x }) => -(y / s) * (s * q * x) - ((1 - y) / q) * (-s * q * x),
  between: ({ s, q, y, x }) => -(y / s - (1 - y) / q) * (s * q * x),
  "4.61.1": ({ s, q, y, x }) => -((y * q - (1 - y) * s) / (s * q)) * s * q * x,
  "4.61.2": ({ s, q, y, x }) => -((y * q - (1 - y) * s) / (s * q)) * s * q * x,
  "4.61.3": ({ s, q, y, x }) => -(y * q - (1 - y) * s) * x,
  "4.61.4": (v) => residual(v.z, v.y) * v.x,
  bias: (v) => residual(v.z, v.y),
  residual: (v) => residual(v.z, v.y),
  quarter: ({ s, q }) => s * q,
  stable: (v) => loss(v.z, v.y),
  "stable.max": (v) => loss(v.z, v.y),
  conjugate: ({ s, q, z }) => -s * loss(z, 1) - q * loss(z, 0),
};

// ---------------------------------------------------------------- state: the bias is the weight of a feature that is 1
const example = data.example, rows = data.rows, own = example.names.length; // the example's features are columns 0..own-1
const x = [...example.x, 1];
const trained = [...data.w, example.b], last = trained.length - 1;
const n = rows.y.length;
const bound = 4 / (rows.values.reduce((sum, row) => sum + dot(row, row) + 1, 0) / n); // 4 / mean(|x|^2 + 1)
const state = { w: [...trained], j: example.selected, y: example.y, rate: bound, path: [], lang: data.lang, range: [-1, 1] };
const column = (j) => (j < own ? j : last); // where the weight of the example's j-th feature stands
const score = () => x.reduce((sum, value, j) => sum + value * state.w[column(j)], 0);
const name = (j) => (j < own ? example.names[j] : text("bias_feature"));
const margin = (w, i) => rows.columns[i].reduce((sum, c, k) => sum + w[c] * rows.values[i][k], w[last]);
const meanLoss = (w) => rows.y.reduce((sum, y, i) => sum + loss(margin(w, i), y), 0) / n;
/** One step along (4.61) for the mean over some rows; changes w. */
function descend(w, chosen, rate) {
  const moves = chosen.map((i) => (rate * residual(margin(w, i), rows.y[i])) / chosen.length);
  chosen.forEach((i, a) => {
    rows.columns[i].forEach((c, k) => { w[c] -= moves[a] * rows.values[i][k]; });
    w[last] -= moves[a];
  });
}

// ---------------------------------------------------------------- words and numbers
function text(key, values = {}) {
  return data.texts[state.lang][key].replace(/\{(\w+)\}/g, (_, inner) => values[inner] ?? "");
}
function number(value, digits = 4) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const shown = size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(digits - 1) : value.toFixed(digits);
  return shown.replace(/^-(0\.0+)$/, "$1").replaceAll("-", "−");
}
function put(element, value, digits) {
  element.textContent = number(value, digits);
  element.dataset.value = String(value); // every digit, for whoever checks or copies
}

// ---------------------------------------------------------------- drawing
function svg(parent, tag, attributes, content) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (content !== undefined) element.textContent = content;
  parent.append(element);
  return element;
}
function ticks(low, high, wanted = 5) {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const out = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-9; t += step) out.push(Math.abs(t) < step / 1e6 ? 0 : t);
  return out;
}
const short = (value) => String(+value.toPrecision(4)).replaceAll("-", "−");
/** An empty plot with axes; returns the two scales. */
function frame(plot, [x0, x1], [y0, y1], xLabel, yLabel) {
  plot.replaceChildren();
  const width = Math.max(plot.clientWidth, 240), height = Number(plot.dataset.height); // one unit a pixel: text keeps its size
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const box = { left: 46, right: width - 12, top: 22, bottom: height - 36 };
  const X = (v) => box.left + ((v - x0) / (x1 - x0)) * (box.right - box.left);
  const Y = (v) => box.bottom - ((v - y0) / (y1 - y0)) * (box.bottom - box.top);
  for (const t of ticks(y0, y1, 4)) {
    svg(plot, "line", { class: "grid", x1: box.left, x2: box.right, y1: Y(t), y2: Y(t) });
    svg(plot, "text", { x: box.left - 7, y: Y(t) + 4, "text-anchor": "end" }, short(t));
  }
  for (const t of ticks(x0, x1, width > 600 ? 10 : 5)) svg(plot, "text", { x: X(t), y: box.bottom + 17, "text-anchor": "middle" }, short(t));
  svg(plot, "line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
  if (xLabel) svg(plot, "text", { x: box.right, y: box.bottom + 33, "text-anchor": "end" }, xLabel);
  svg(plot, "text", { x: box.left - 38, y: 11 }, yLabel);
  return { X, Y, box };
}
const line = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(2)} ${b.toFixed(2)}`).join("");
function curve(f, [from, to], X, Y, n = 160) {
  return line(Array.from({ length: n + 1 }, (_, i) => from + ((to - from) * i) / n).map((v) => [X(v), Y(f(v))]));
}
/** The tangent at (at, value), kept inside the box; then the point itself. */
function touch(plot, { X, Y, box }, at, value, slope) {
  const reach = (box.right - box.left) / 5;
  const unitX = X(1) - X(0), unitY = Y(1) - Y(0);
  const direction = (slope * unitY) / unitX;
  const run = reach / Math.hypot(1, direction);
  const [cx, cy] = [X(at), Y(value)];
  svg(plot, "line", { class: "drop", x1: cx, x2: cx, y1: cy, y2: box.bottom });
  svg(plot, "line", { class: "tangent", x1: cx - run, x2: cx + run, y1: cy - run * direction, y2: cy + run * direction });
  svg(plot, "circle", { class: "point", cx, cy, r: 6 });
}
/** What the tangent says, on the side of the point where a convex or rising curve leaves room. */
function note(plot, { X, Y, box }, at, value, before, words) {
  const left = before ? X(at) - box.left > 130 : box.right - X(at) < 130; // else it would leave the box
  const y = left === before ? Math.max(box.top + 4, Y(value) - 14) : Math.min(box.bottom - 6, Y(value) + 24);
  svg(plot, "text", { class: "note", x: X(at) + (left ? -12 : 12), y, "text-anchor": left ? "end" : "start" }, words);
}

// ---------------------------------------------------------------- the weight's range: wide enough to sweep the sigmoid
function range(j) {
  const size = Math.abs(x[j]) || 1;
  const now = state.w[column(j)], center = trained[column(j)];
  const half = Math.max(Math.abs(center), (Math.abs(score()) + 6) / size);
  return [Math.min(center - half, now), Math.max(center + half, now)];
}

function draw() {
  const { j, y } = state, weight = state.w[column(j)], z = score(), s = sigma(z), q = sigma(-z), r = residual(z, y), g = r * x[j], L = loss(z, y);
  put($("z"), z); put($("sigma"), s); put($("loss"), L); put($("residual"), r); put($("value"), x[j]); put($("gradient"), g);
  const [low, high] = state.range;
  $("weight").value = weight;
  $("weight").setAttribute("aria-valuetext", `${name(j)}: ${number(weight)}`);
  if (document.activeElement !== $("exact")) $("exact").value = +weight.toPrecision(8);

  const rest = z - weight * x[j], ends = [rest + low * x[j], rest + high * x[j]];
  const zs = [Math.min(-6, ...ends), Math.max(6, ...ends)];
  let plot = $("sigmoid-plot"), at = frame(plot, zs, [0, 1], "z", "σ(z)");
  svg(plot, "path", { class: "curve", d: curve(sigma, zs, at.X, at.Y) });
  touch(plot, at, z, s, s * q);
  note(plot, at, z, s, true, `σ′ = ${number(s * q)}`);
  plot.setAttribute("aria-label", `σ(${number(z)}) = ${number(s)}`);

  const along = (v) => loss(rest + v * x[j], y);
  const top = Math.max(along(low), along(high), 1) * 1.06;
  plot = $("loss-plot");
  at = frame(plot, [low, high], [0, top], text("weight"), "L");
  svg(plot, "path", { class: "curve", d: curve(along, [low, high], at.X, at.Y) });
  touch(plot, at, weight, L, g);
  note(plot, at, weight, L, g > 0, `∂L/∂w = ${number(g)}`);
  plot.setAttribute("aria-label", `L = ${number(L)}, ∂L/∂w = ${number(g)}`);

  for (const item of document.querySelectorAll("[data-step]")) {
    const says = LINES[item.dataset.step];
    const value = says && says({ z, s, q, y, x: x[j] });
    const output = item.querySelector(".value");
    if (says && Number.isFinite(value)) put(output, value, 6);
    else output.textContent = "";
  }
  for (const chip of $("features").children) {
    const i = Number(chip.dataset.j), product = state.w[column(i)] * x[i];
    chip.setAttribute("aria-pressed", String(i === j));
    chip.classList.toggle("negative", product < 0);
    chip.lastChild.textContent = (product > 0 ? "+" : "") + number(product, 2);
  }
  drawPath();
}

function choose(j) {
  state.j = j;
  state.range = range(j);
  const slider = $("weight");
  [slider.min, slider.max] = state.range;
  $("chosen").textContent = name(j);
  draw();
}
function setWeight(value, typed) {
  if (!Number.isFinite(value)) return;
  state.w[column(state.j)] = value;
  restart();
  if (typed) choose(state.j); // the slider's range follows; under a dragging hand it must not
  else draw();
}

// ---------------------------------------------------------------- gradient descent on the mean loss, step by step
function restart() {
  state.path = [];
  report();
}
function steps(count) {
  if (!state.path.length) state.path = [meanLoss(state.w)];
  for (let i = 0; i < count; i++) {
    descend(state.w, [...rows.y.keys()], state.rate);
    state.path.push(meanLoss(state.w));
  }
  report();
  choose(state.j);
}
function report() {
  const count = state.path.length - 1, result = $("step-result");
  const [before, after] = state.path.slice(-2), up = count > 0 && after > before;
  result.textContent = count < 1 ? "" : text("step_result", { n: count, before: number(before), after: number(after) }) + (up ? " · " + text("overshoot") : "");
  result.classList.toggle("up", up);
}
function drawPath() {
  const path = state.path.length ? state.path : [meanLoss(state.w)];
  const plot = $("path-plot"), { X, Y } = frame(plot, [0, Math.max(10, path.length - 1)], [0, Math.max(...path, 0.1) * 1.08], "", text("mean_loss"));
  svg(plot, "path", { class: "trace series-0", d: line(path.map((v, i) => [X(i), Y(v)])) });
  path.forEach((v, i) => svg(plot, "circle", { class: i && v > path[i - 1] ? "dot up" : "dot", cx: X(i), cy: Y(v), r: 4 }));
  plot.dataset.path = JSON.stringify(path);
  plot.setAttribute("aria-label", path.map((v) => number(v)).join(", "));
}
function setRate(logarithm) {
  const multiple = 10 ** logarithm, output = $("rate-value");
  state.rate = multiple * bound;
  output.textContent = `${+multiple.toPrecision(3)} × ${number(bound)} = ${number(state.rate)}`;
  output.dataset.value = String(state.rate);
  output.classList.toggle("up", multiple > 1 + 1e-9);
  drawTraces();
}

// ---------------------------------------------------------------- three ways down
function random(seed) { // mulberry32: the same order of rows at every visit
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
/** [passes over the rows, mean loss] from zero weights, every pass in some number of nearly equal batches. */
function trace(batches, passes) {
  const w = new Float64Array(last + 1), next = random(1), order = [...rows.y.keys()];
  const points = [[0, meanLoss(w)]], every = Math.ceil(batches / 5);
  for (let pass = 0; pass < passes; pass++) {
    if (batches > 1) for (let i = n - 1; i > 0; i--) { const k = Math.floor(next() * (i + 1)); [order[i], order[k]] = [order[k], order[i]]; }
    for (let batch = 1; batch <= batches; batch++) {
      descend(w, order.slice(Math.round(((batch - 1) * n) / batches), Math.round((batch * n) / batches)), state.rate);
      if (batch % every === 0 || batch === batches) points.push([pass + batch / batches, meanLoss(w)]);
    }
  }
  return points;
}
function drawTraces() {
  const plot = $("traces-plot"), passes = 20;
  if (!plot) return;
  const traces = [1, Math.min(10, n), n].map((batches) => trace(batches, passes));
  const highest = Math.min(Math.max(...traces.flat().map(([, v]) => v)), 4 * Math.LN2) * 1.05;
  const { X, Y } = frame(plot, [0, passes], [0, highest], text("passes"), text("mean_loss"));
  traces.forEach((points, k) => {
    svg(plot, "path", { class: `trace series-${k}`, d: line(points.map(([a, v]) => [X(a), Y(Math.min(v, highest))])) });
    put($("legend").children[k].querySelector("b"), points.at(-1)[1]);
  });
  plot.setAttribute("aria-label", [...$("legend").children].map((item) => item.textContent.trim()).join("; "));
}

// ---------------------------------------------------------------- language and theme
function speak(lang) {
  state.lang = lang;
  document.documentElement.lang = lang;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = text(element.dataset.t, { n });
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
  for (const item of document.querySelectorAll("[data-step]")) {
    const words = data.texts[lang].steps[item.dataset.step];
    item.querySelector("[data-step-text=title]").textContent = words.title;
    item.querySelector("[data-step-text=rule]").textContent = words.rule;
    item.querySelector("[data-step-text=condition]").textContent = words.condition ? text("condition") + words.condition : "";
  }
  for (const button of $("languages").children) button.setAttribute("aria-pressed", String(button.dataset.lang === lang));
  $("search").placeholder = text("search");
  $("search").setAttribute("aria-label", text("search"));
  const bias = $("features").lastElementChild;
  if (bias) bias.firstChild.textContent = name(own);
  report();
  drawTraces();
  choose(state.j);
}
function turnTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

// ---------------------------------------------------------------- the page comes alive
function start() {
  x.forEach((value, j) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.dataset.j = j;
    const label = document.createElement("span");
    label.textContent = name(j); // text, whatever the user's data says
    chip.append(label, document.createElement("b"));
    chip.addEventListener("click", () => choose(j));
    $("features").append(chip);
  });
  if (x.length > 25) {
    $("search").hidden = false;
    $("search").addEventListener("input", (event) => {
      const wanted = event.target.value.toLowerCase();
      for (const chip of $("features").children) chip.hidden = !chip.firstChild.textContent.toLowerCase().includes(wanted);
    });
  }
  $("weight").addEventListener("input", (event) => setWeight(Number(event.target.value)));
  $("exact").addEventListener("input", (event) => setWeight(event.target.value === "" ? NaN : Number(event.target.value), true));
  const startAt = (w) => { state.w = w; restart(); choose(state.j); };
  for (const button of document.querySelectorAll(".trained")) button.addEventListener("click", () => startAt([...trained]));
  $("zero").addEventListener("click", () => startAt(trained.map(() => 0)));
  for (const button of $("labels").children) button.addEventListener("click", () => setLabel(Number(button.dataset.y)));
  $("rate").value = 0;
  $("rate").addEventListener("input", (event) => setRate(Number(event.target.value)));
  $("step").addEventListener("click", () => steps(1));
  $("ten").addEventListener("click", () => steps(10));
  for (const button of $("languages").children) button.addEventListener("click", () => speak(button.dataset.lang));
  $("theme").addEventListener("click", turnTheme);
  addEventListener("resize", () => { draw(); drawTraces(); });
  setRate(0);
  setLabel(state.y, false);
  speak(state.lang);
}
function setLabel(y, redraw = true) {
  state.y = y;
  if (data.alone) rows.y[0] = y; // the steps are taken on this example
  for (const button of $("labels").children) button.setAttribute("aria-pressed", String(Number(button.dataset.y) === y));
  if (redraw) { restart(); draw(); }
}
start();
