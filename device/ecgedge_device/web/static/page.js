// What every page does: times in the reader's own time zone, and the token that a change needs.

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function localTime(utc) {
  const time = new Date(utc);
  return utc && !Number.isNaN(time.getTime()) ? format.format(time) : "unknown";
}

export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

for (const element of document.querySelectorAll("time[datetime]")) {
  element.title = element.textContent;
  element.textContent = localTime(element.dateTime);
}
