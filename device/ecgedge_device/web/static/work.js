// The progress of one picture; goes to its result when it is there. Events tell the steps, asking tells the end.

const box = document.querySelector("#work"), id = box.dataset.id;
const bar = box.querySelector("progress"), said = box.querySelector("#step");
const WORDS = {
  "decode": "Opening the picture", "find page": "Finding the page and flattening it", "quality": "Checking the quality",
  "read traces": "Reading the leads", "one page": "Looking for a second page", "inputs": "Preparing the leads",
  "model": "Judging", "draw": "Drawing what the model looked at",
};

async function ask() {
  const answer = await fetch(`/api/pictures/${id}`).catch(() => null);
  if (!answer?.ok) return;
  const work = await answer.json();
  if (work.state === "judged") {
    stream.close();
    clearInterval(timer);
    location.replace(work.result.replace("/api", ""));
  } else if (work.state === "judging") {
    bar.max = 1;
    bar.value = work.share;
    said.textContent = `Judging the recording: ${Math.round(100 * work.share)} % …`;
  }
}

const stream = new EventSource("/api/events");
stream.addEventListener("step", (event) => {
  const step = JSON.parse(event.data);
  if (step.work !== id) return;
  bar.max = step.of;
  bar.value = step.n - 0.5;
  said.textContent = `Step ${step.n} of ${step.of}: ${WORDS[step.step] ?? step.step} …`;
});
stream.addEventListener("result", (event) => { if (["page", "recording"].includes(JSON.parse(event.data).kind)) ask(); });
const timer = setInterval(ask, 1500);
addEventListener("pagehide", () => stream.close());
ask();
