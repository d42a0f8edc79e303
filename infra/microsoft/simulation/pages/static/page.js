// What all pages have in common. What people write is only ever set as text,
// never as HTML.
export const $ = (id) => document.getElementById(id);

// ask asks the fake, and throws what it refuses.
export async function ask(method, path, body) {
  const answer = await fetch("/api" + path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  }).catch(() => {
    throw new Error("The simulation does not answer. Is it still running?");
  });
  if (answer.status === 204) return null;
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.detail || `The simulation answered ${answer.status}.`);
  return value;
}

export function failed(error) {
  $("error").textContent = error.message;
}

// attempt shows what went wrong instead of losing it, and tells whether it went
// well.
export async function attempt(f) {
  try {
    await f();
    $("error").textContent = "";
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

export const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

// element makes an element that says text.
export function element(name, text, data = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.assign(made.dataset, data);
  return made;
}

// lines shows a list of texts, where it has changed.
export function lines(list, texts) {
  if ([...list.children].map((c) => c.textContent).join("\n") !== texts.join("\n")) {
    list.replaceChildren(...texts.map((t) => element("li", t)));
  }
}

// talk adds what was said since the last time, so that a screen reader reads
// nothing twice.
export function talk(list, messages) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  for (const m of messages.slice(list.children.length)) list.append(line(m));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function line(m) {
  const said = element("li", "", { from: m.from });
  if (m.private) said.dataset.private = "true";
  const at = element("time", new Date(m.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  at.dateTime = m.at;
  const who = element("span", (m.name || m.from) + (m.private ? ", for human agents only" : ""));
  who.className = "who";
  const what = element("span", m.text);
  what.className = "text";
  said.append(at, who, what);
  for (const a of m.attachments || []) said.append(element("span", ` [${a.name || a.contentType || "attachment"}]`));
  return said;
}
