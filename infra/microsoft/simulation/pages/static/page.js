// What people write is only ever set as text, never as HTML.
const $ = (id) => document.getElementById(id);

async function ask(method, path, body) {
  const answer = await fetch("/api" + path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  if (answer.status === 204) return null;
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.detail || "The simulation answered " + answer.status + ".");
  return value;
}

// attempt shows what went wrong instead of losing it.
async function attempt(f) {
  $("error").textContent = "";
  try {
    return await f();
  } catch (e) {
    $("error").textContent = e.message;
  }
}

function choose(select, places) {
  select.replaceChildren(...places.map((p) => new Option(p.name, p.id)));
}

function talk(list, messages) {
  list.replaceChildren(...messages.map((m) => {
    const line = document.createElement("li");
    line.className = m.from + (m.private ? " private" : "");
    line.textContent = (m.name || m.from) + (m.private ? " (for agents only)" : "") + ": " + m.text;
    return line;
  }));
}

let chat = "";

async function follow(id) {
  let has = 0, status = "";
  while (chat === id) {
    try {
      const now = await ask("GET", `/chats/${id}?has=${has}&status=${encodeURIComponent(status)}`);
      has = now.messages.length;
      status = now.status;
      talk($("chat"), now.messages);
      $("chat-state").textContent = "The conversation is " + status + ".";
      $("say").hidden = status === "Closed" || status === "Wrap-up";
      if (status === "Closed") return;
    } catch (e) {
      $("error").textContent = e.message;
      return;
    }
  }
}

$("start").addEventListener("submit", (e) => {
  e.preventDefault();
  attempt(async () => {
    const made = await ask("POST", "/chats", { app_id: $("widget").value, name: $("name").value });
    chat = made.id;
    follow(chat);
    $("text").focus();
  });
});

$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  attempt(async () => {
    await ask("POST", `/chats/${chat}/messages`, { text: $("text").value });
    $("text").value = "";
  });
});

$("leave").addEventListener("click", () => attempt(() => ask("POST", `/chats/${chat}/leave`, {})));

let shown = "";

async function desk() {
  const person = $("person").value;
  const { conversations } = await ask("GET", `/desks/${person}`);
  if (!conversations.some((c) => c.id === shown)) shown = conversations.length > 0 ? conversations[0].id : "";
  $("work").replaceChildren(...conversations.map((c) => {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.textContent = `${c.queue}: ${c.offered ? "offered" : c.status}`;
    button.addEventListener("click", () => { shown = c.id; });
    line.append(button);
    return line;
  }));
  $("open").hidden = shown === "";
  if (shown === "") return;
  const c = await ask("GET", `/desks/${person}/${shown}`);
  const offered = c.status === "Open";
  $("desk-state").textContent = `Queue ${c.queue}, ${c.status}.`;
  $("accept").disabled = $("decline").disabled = !offered;
  $("end").disabled = c.status !== "Active";
  $("close").disabled = c.status !== "Wrap-up";
  $("answer").hidden = c.status !== "Active";
  $("context").replaceChildren(...Object.entries(c.context).sort().flatMap(([name, value]) => {
    const term = document.createElement("dt"), what = document.createElement("dd");
    term.textContent = name;
    what.textContent = String(value);
    return [term, what];
  }));
  talk($("transcript"), c.messages);
}

const order = (name, body) => attempt(async () => {
  await ask("POST", `/desks/${$("person").value}/${shown}/${name}`, body || {});
  await desk();
});

for (const name of ["accept", "decline", "end", "close"]) $(name).addEventListener("click", () => order(name));

$("answer").addEventListener("submit", (e) => {
  e.preventDefault();
  order("say", { text: $("reply").value });
  $("reply").value = "";
});

const places = await ask("GET", "/places");
choose($("widget"), places.widgets);
choose($("person"), places.people);
for (;;) {
  try {
    await desk();
  } catch (e) {
    $("error").textContent = e.message;
  }
  await new Promise((wake) => setTimeout(wake, 700));
}
