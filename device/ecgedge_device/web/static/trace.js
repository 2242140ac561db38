// One live trace on ECG paper: a ring of samples, drawn behind time by so much that it flows evenly.

const MM_PER_S = 25, MM_PER_MV = 10, SMALL = 1, LARGE = 5;
const DELAY_S = 0.5; // samples come in pieces; this much is held back to bridge them
const KEEP_S = 40;

export class Trace {
  constructor(canvas) {
    this.canvas = canvas;
    this.paint = canvas.getContext("2d");
    this.samples = []; // {t, mv}
    this.beats = []; // {t, label}
    this.shown = 0; // time at the right edge, s of the signal
    this.latest = 0;
    this.drawnAt = 0;
    this.centre = 0; // mV in the middle
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.resize());
    this.resize();
  }

  resize() {
    const box = this.canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.max(1, Math.round(box.width * scale));
    this.canvas.height = Math.max(1, Math.round(box.height * scale));
    this.paint.setTransform(scale, 0, 0, scale, 0, 0);
    this.px = box.height / 50; // px per mm: 50 mm high, so 5 mV
    const style = getComputedStyle(this.canvas);
    this.colour = Object.fromEntries(["paper", "fine", "coarse", "pen", "N", "S", "V", "F", "Q"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.draw();
  }

  get spanS() {
    return this.width / this.px / MM_PER_S;
  }

  addSignal({ start, fs_hz: fs, signal_fs_hz: rate = fs, mv }) {
    const begin = start / rate;
    if (begin < this.latest - 1) { // a replay that began again
      this.samples.length = this.beats.length = 0;
      this.shown = 0;
    }
    if (begin > this.latest + 0.1) this.samples.push({ t: begin, mv: null });
    mv.forEach((value, k) => this.samples.push({ t: begin + k / fs, mv: value }));
    this.latest = begin + mv.length / fs;
    const old = this.latest - KEEP_S;
    if (this.samples.length && this.samples[0].t < old - 5) this.samples = this.samples.filter((one) => one.t > old);
    this.settle(mv);
    this.run();
  }

  settle(mv) { // the baseline drifts slowly to the middle
    const values = mv.filter((value) => value !== null).sort((a, b) => a - b);
    if (values.length) this.centre += 0.1 * (values[values.length >> 1] - this.centre);
  }

  addBeats({ fs_hz: fs, beats }) {
    for (const beat of beats) this.beats.push({ t: beat.sample / fs, label: beat.label });
    this.beats = this.beats.filter((beat) => beat.t > this.latest - KEEP_S);
    if (this.still.matches) this.draw();
  }

  run() {
    if (this.still.matches) {
      this.shown = this.latest;
      this.draw();
    } else if (!this.frame) {
      this.drawnAt = performance.now();
      this.frame = requestAnimationFrame((now) => this.step(now));
    }
  }

  step(now) {
    const passed = Math.min(0.2, (now - this.drawnAt) / 1000), goal = this.latest - DELAY_S;
    this.drawnAt = now;
    this.frame = 0;
    if (goal - this.shown > 2) this.shown = goal; // far behind: a fast replay, or a window that slept
    else this.shown += Math.max(0, passed * (1 + 0.5 * (goal - this.shown)));
    this.draw();
    if (this.shown < this.latest) this.frame = requestAnimationFrame((next) => this.step(next));
  }

  x(t) {
    return this.width - (this.shown - t) * MM_PER_S * this.px;
  }

  y(mv) {
    return this.height * 0.58 - (mv - this.centre) * MM_PER_MV * this.px;
  }

  draw() {
    const { paint, width, height } = this;
    paint.fillStyle = this.colour.paper;
    paint.fillRect(0, 0, width, height);
    this.grid();
    this.pen();
    for (const beat of this.beats) this.mark(beat);
  }

  grid() {
    for (const [step, colour] of [[SMALL, this.colour.fine], [LARGE, this.colour.coarse]]) {
      if (step * this.px < 2.5) continue;
      const { paint } = this, size = step * this.px, shift = (this.shown * MM_PER_S * this.px) % size;
      paint.strokeStyle = colour;
      paint.lineWidth = 1;
      paint.beginPath();
      for (let x = this.width - shift; x >= 0; x -= size) paint.moveTo(x, 0), paint.lineTo(x, this.height);
      for (let y = this.height; y >= 0; y -= size) paint.moveTo(0, y), paint.lineTo(this.width, y);
      paint.stroke();
    }
  }

  pen() {
    const { paint } = this, from = this.shown - this.spanS - 0.1;
    paint.strokeStyle = this.colour.pen;
    paint.lineWidth = 1.6;
    paint.lineJoin = "round";
    paint.beginPath();
    let down = false;
    for (const { t, mv } of this.samples) {
      if (t < from || t > this.shown) continue;
      if (mv === null) down = false;
      else if (down) paint.lineTo(this.x(t), this.y(mv));
      else paint.moveTo(this.x(t), this.y(mv)), (down = true);
    }
    paint.stroke();
  }

  mark({ t, label }) {
    if (t > this.shown || t < this.shown - this.spanS - 0.5 || !(t >= this.samples[0]?.t)) return;
    const { paint } = this, x = this.x(t), colour = this.colour[label] ?? this.colour.Q;
    paint.strokeStyle = paint.fillStyle = colour;
    paint.lineWidth = label === "N" ? 1 : 2;
    paint.globalAlpha = 0.55;
    paint.beginPath();
    paint.moveTo(x, 30);
    paint.lineTo(x, this.height);
    paint.stroke();
    paint.globalAlpha = 1;
    paint.fillStyle = this.colour.paper;
    paint.beginPath();
    paint.roundRect(x - 10, 6, 20, 21, 4);
    paint.fill();
    paint.stroke();
    paint.fillStyle = colour;
    paint.font = "700 14px system-ui, sans-serif";
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    paint.fillText(label, x, 17);
  }
}
