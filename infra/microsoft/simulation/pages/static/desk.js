import { $, ask, attempt, element, failed, lines, pause, talk } from "/page.js";

const person = encodeURIComponent(decodeURIComponent(location.pathname.split("/").pop()));
const often = 700; // milliseconds between two looks
let shown = ""; // the conversation that is open
let known = new Set(); // those that the person was told of

const label = (c) => `${c.queue}: ${c.offered ? "offered to you" : c.status.toLowerCase()}`;

// list keeps the buttons that are there, for one of them may have the focus.
function list(conversations) {
  const buttons = new Map([...$("work").querySelectorAll("button")].map((b) => [b.dataset.conversation, b]));
  for (const [id, button] of buttons) {
    if (!conversations.some((c) => c.id === id)) button.parentElement.remove();
  }
  for (const c of conversations) {
    const button = buttons.get(c.id) || added(c.id);
    if (button.textContent !== label(c)) button.textContent = label(c);
    button.setAttribute("aria-current", String(c.id === shown));
  }
  $("nothing").hidden = conversations.length > 0;
}

function added(id) {
  const item = document.createElement("li"), button = element("button", "", { conversation: id });
  button.type = "button";
  button.addEventListener("click", () => {
    shown = id;
    attempt(look);
  });
  item.append(button);
  $("work").append(item);
  return button;
}

// tell says what is new, once.
function tell(conversations) {
  const fresh = conversations.filter((c) => c.offered && !known.has(c.id));
  if (fresh.length > 0) $("news").textContent = `Somebody waits for you in ${fresh.map((c) => c.queue).join(", ")}.`;
  if (!conversations.some((c) => c.offered)) $("news").textContent = "";
  known = new Set(conversations.filter((c) => c.offered).map((c) => c.id));
  document.title = (known.size > 0 ? `(${known.size}) ` : "") + $("person").textContent;
}

async function look() {
  const { name, conversations } = await ask("GET", `/desks/${person}`);
  $("person").textContent = `Desk of ${name}`;
  if (!conversations.some((c) => c.id === shown)) shown = conversations.length > 0 ? conversations[0].id : "";
  list(conversations);
  tell(conversations);
  if (shown === "") {
    open(null);
    return;
  }
  const c = await ask("GET", `/desks/${person}/${shown}`);
  if (c.id === shown) open(c);
}

let drawn = "";

// open shows a conversation; null shows none.
function open(c) {
  const lost = $("conversation").contains(document.activeElement);
  $("conversation").hidden = $("about").hidden = !c;
  if (!c) {
    if (lost) $("person").focus();
    return;
  }
  if (drawn !== c.id) $("talk").replaceChildren();
  drawn = c.id;
  $("queue").textContent = c.queue;
  $("state").textContent = `The conversation is ${c.status.toLowerCase()}.`;
  $("accept").disabled = $("decline").disabled = c.status !== "Open";
  $("end").disabled = c.status !== "Active";
  $("close").disabled = c.status !== "Wrap-up";
  $("answer").hidden = c.status !== "Active";
  talk($("talk"), c.messages);
  about(c);
}

function about(c) {
  variables(Object.entries(c.context).sort());
  link(c.context.HandoffContextUrl);
  lines($("explanation"), c.explanation);
  lines($("problems"), c.problems);
  $("dropped").hidden = c.problems.length === 0;
}

function variables(all) {
  const now = JSON.stringify(all);
  if ($("context").dataset.shown === now) return;
  $("context").dataset.shown = now;
  $("context").replaceChildren(...all.flatMap(([name, value]) => [element("dt", name), element("dd", String(value), { variable: name })]));
}

// link leads to the context in Handoff; a value that is no web address is text
// only.
function link(value) {
  const leads = typeof value === "string" && URL.canParse(value) && ["http:", "https:"].includes(new URL(value).protocol);
  $("context-link").hidden = !leads;
  if (leads) $("context-link").href = value;
  else $("context-link").removeAttribute("href");
}

// order has the fake do something, and moves the keyboard to what comes next.
async function order(name, next, body) {
  const done = await attempt(async () => {
    await ask("POST", `/desks/${person}/${shown}/${name}`, body || {});
    await look();
  });
  if (done && next && !$("conversation").hidden) $(next).focus();
  return done;
}

for (const [name, next] of [["accept", "reply"], ["decline", "person"], ["end", "close"], ["close", "person"]]) {
  $(name).addEventListener("click", () => order(name, next));
}

$("answer").addEventListener("submit", async (e) => {
  e.preventDefault();
  const text = $("reply").value;
  $("reply").value = "";
  if (!(await order("say", "reply", { text })) && $("reply").value === "") $("reply").value = text;
});

let silent = false;
for (;;) {
  try {
    await look();
    if (silent) $("error").textContent = "";
    silent = false;
  } catch (error) {
    silent = true;
    failed(error);
  }
  await pause(often);
}
