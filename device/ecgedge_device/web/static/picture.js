// Sending a file with its progress, and the button of a camera. Without this script the forms work as forms.
import { csrfToken } from "./page.js";

function say(form, text, { bad = false } = {}) {
  const said = form.querySelector(".said");
  said.toggleAttribute("data-bad", bad);
  said.textContent = text;
}

function busy(form, is) {
  form.querySelector("button").disabled = is;
  form.toggleAttribute("aria-busy", is);
}

function errorOf(text, status) {
  try {
    return JSON.parse(text).error;
  } catch {
    return `the agent answered ${status}; try again`;
  }
}

function send(form) {
  const files = [...form.elements.file.files], size = files.reduce((sum, file) => sum + file.size, 0), limit = Number(form.dataset.limit);
  if (size > limit) {
    say(form, `${(size / 1e6).toFixed(1)} MB; at most ${limit / 1e6} MB are taken. Send a smaller picture.`, { bad: true });
    return;
  }
  const request = new XMLHttpRequest(), bar = form.querySelector("progress");
  request.open("POST", `/api/pictures?source=${encodeURIComponent(form.dataset.source)}`);
  request.setRequestHeader("X-CSRF-Token", csrfToken());
  request.upload.onprogress = (event) => { bar.value = event.lengthComputable ? (100 * event.loaded) / event.total : 50; };
  request.onerror = () => fail(form, "The agent cannot be reached. Try again.");
  request.onload = () => {
    if (request.status === 202) location.assign(`/progress/${JSON.parse(request.responseText).id}`);
    else fail(form, errorOf(request.responseText, request.status));
  };
  form.querySelector(".sending").hidden = false;
  busy(form, true);
  say(form, "Sending …");
  request.send(new FormData(form));
}

function fail(form, text) {
  busy(form, false);
  form.querySelector(".sending").hidden = true;
  say(form, text.charAt(0).toUpperCase() + text.slice(1), { bad: true });
}

async function take(form) {
  busy(form, true);
  say(form, "The camera is taking a picture …");
  const stream = new EventSource(`/api/events?source=${encodeURIComponent(form.dataset.source)}`);
  const leave = (id) => { stream.close(); location.assign(`/progress/${id}`); };
  stream.addEventListener("step", (event) => leave(JSON.parse(event.data).work));
  stream.addEventListener("result", (event) => { const result = JSON.parse(event.data); if (result.kind === "page") leave(result.id); });
  const answer = await fetch(`/api/sources/${encodeURIComponent(form.dataset.source)}/trigger`, { method: "POST", headers: { "X-CSRF-Token": csrfToken() } }).catch(() => null);
  if (!answer?.ok) {
    stream.close();
    fail(form, answer ? errorOf(await answer.text(), answer.status) : "The agent cannot be reached. Try again.");
    return;
  }
  setTimeout(() => { stream.close(); fail(form, "No picture came within 30 s. See the state of the source."); }, 30000);
}

for (const form of document.querySelectorAll("form.upload")) {
  const drop = form.querySelector(".drop"), input = form.elements.file;
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    input.files = event.dataTransfer.files;
  });
}
for (const form of document.querySelectorAll("form.take")) {
  form.addEventListener("submit", (event) => { event.preventDefault(); take(form); });
}
