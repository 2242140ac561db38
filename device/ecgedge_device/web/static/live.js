// The live page: traces, heart rates, last results, states of sources; all from one stream of events.
import { localTime } from "./page.js";
import { Trace } from "./trace.js";

const RATE_BEATS = 8, STALE_MS = 6000, LETTERS = 12;
const KINDS = { minute: "Minute", alarm: "Alarm", page: "Page", recording: "Recording" };
const panels = new Map();
const traces = document.querySelector("#traces");

class Panel {
  constructor(source) {
    const made = document.querySelector("#trace").content.cloneNode(true);
    this.section = made.querySelector("section");
    this.section.dataset.source = source;
    const heading = made.querySelector("h2");
    heading.textContent = source;
    heading.id = `trace-${source}`;
    this.section.setAttribute("aria-labelledby", heading.id);
    this.canvas = made.querySelector("canvas");
    this.canvas.setAttribute("aria-label", `Live ECG of ${source}; the beats are listed below it`);
    traces.append(made);
    this.trace = new Trace(this.canvas);
    this.rr = [];
    this.labels = [];
  }

  find(name) {
    return this.section.querySelector(name);
  }

  signal(data) {
    this.find(".empty").hidden = true;
    this.find(".lead").textContent = `lead ${data.lead}`;
    this.trace.addSignal(data);
    this.section.dataset.seconds = this.trace.latest.toFixed(1);
  }

  beatsCame(data) {
    this.trace.addBeats(data);
    for (const beat of data.beats) {
      if (beat.rr_ms === null || beat.label === "Q") this.rr.length = 0;
      else this.rr.push(beat.rr_ms);
      this.labels.push(beat.label);
    }
    this.rr = this.rr.slice(-RATE_BEATS);
    this.labels = this.labels.slice(-LETTERS);
    this.showRate();
    this.find(".letters").replaceChildren(...this.labels.flatMap((label) => [badge(label), " "]));
    clearTimeout(this.stale);
    this.stale = setTimeout(() => { this.rr.length = 0; this.showRate(); }, STALE_MS);
  }

  showRate() {
    const mean = this.rr.reduce((sum, one) => sum + one, 0) / this.rr.length;
    this.find(".bpm").textContent = this.rr.length > 1 ? Math.round(60000 / mean) : "–";
  }
}

function badge(label) {
  const made = document.createElement("span");
  made.className = "beat";
  made.dataset.label = label;
  made.textContent = label;
  return made;
}

function panel(source) {
  if (!panels.has(source)) panels.set(source, new Panel(source));
  return panels.get(source);
}

function refusal(result) {
  const name = `${result.name ?? result.recording}: `, reason = result.reason.split("; ")[0];
  return `Refused: ${reason.startsWith(name) ? reason.slice(name.length) : reason}`;
}

function words(result) {
  const percent = (share) => `${Math.round(100 * share)} %`;
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const beats = () => Object.entries(result.beats).filter(([, n]) => n).map(([name, n]) => `${n} ${name}`).join(", ") || "no beats";
  const rate = () => (result.heart_rate_bpm === null ? "no heart rate" : `${Math.round(result.heart_rate_bpm)}/min`);
  switch (result.kind) {
    case "page":
      if (result.refused) return ["refused", refusal(result)];
      return result.label ? ["answer", `${capital(result.title)}, ${percent(result.probabilities[result.label])}`] : ["none", "No answer"];
    case "alarm":
      return result.state === "ends" ? ["plain", `Ended: ${capital(result.text)}`] : ["alarm", capital(result.text)];
    case "minute":
      return ["plain", `${capital(rate())}, ${beats()}`];
    default:
      if (result.refused) return ["refused", refusal(result)];
      return ["plain", `${result.recording}: ${rate()}, ${beats()}`];
  }
}

function resultCame(result) {
  const list = document.querySelector("#last"), [tone, text] = words(result);
  if (!(result.kind in KINDS) || list.querySelector(`a[href="/results/${result.id}"]`)) return;
  const made = document.querySelector("#line").content.cloneNode(true), line = made.querySelector("li");
  line.dataset.tone = tone;
  line.querySelector("a").href = `/results/${result.id}`;
  line.querySelector(".kind").textContent = KINDS[result.kind];
  line.querySelector(".what").textContent = text;
  const time = line.querySelector("time");
  time.dateTime = result.time_utc || result.stored_utc;
  time.textContent = localTime(time.dateTime);
  line.querySelector(".meta").lastChild.textContent = ` · ${result.source}`;
  list.prepend(made);
  while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
  list.nextElementSibling.hidden = true;
  if (result.kind === "alarm") showAlarm(result, tone, text);
}

function showAlarm(result, tone, text) {
  document.querySelector("#alarms").textContent = tone === "alarm" ? `Alarm of ${result.source}: ${text}. Not a medical device.` : "";
}

function stateCame(data) {
  for (const line of document.querySelectorAll("#sources li")) {
    if (line.dataset.source !== data.source || !data.state) continue;
    line.dataset.state = data.state;
    line.querySelector(".state").textContent = data.state;
    line.querySelector(".trouble").textContent = data.trouble ?? "";
  }
}

for (const source of traces.dataset.signals.split(" ").filter(Boolean)) panel(source);

const stream = new EventSource("/api/events");
const on = (topic, act) => stream.addEventListener(topic, (event) => act(JSON.parse(event.data)));
on("signal", (data) => panel(data.source).signal(data));
on("beats", (data) => panel(data.source).beatsCame(data));
on("result", resultCame);
on("state", stateCame);

let lost = 0; // the stream is renewed now and then: only a longer break is worth a word
stream.onopen = () => { clearTimeout(lost); lost = 0; document.querySelector("#link").hidden = true; };
stream.onerror = () => { lost ||= setTimeout(() => { document.querySelector("#link").hidden = false; }, 5000); };
addEventListener("pagehide", () => stream.close());
