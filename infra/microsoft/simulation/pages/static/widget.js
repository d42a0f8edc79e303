import { $, ask, attempt, failed, talk } from "/page.js";

const widget = decodeURIComponent(location.pathname.split("/").pop());
let chat = "";

// show shows the conversation, or the form that begins one.
function show(open) {
  $("start").hidden = open;
  $("chat").hidden = !open;
  ended(false);
}

// ended leaves the keyboard somewhere where the conversation is over.
function ended(over) {
  const typing = $("say").contains(document.activeElement);
  $("say").hidden = over;
  $("again").hidden = !over;
  if (over && typing) $("again").focus();
}

async function follow(id) {
  let has = 0, status = "";
  while (chat === id) {
    try {
      const now = await ask("GET", `/chats/${id}?has=${has}&status=${encodeURIComponent(status)}`);
      if (chat !== id) return;
      talk($("talk"), now.messages);
      if (now.status !== status) $("state").textContent = `The conversation is ${now.status.toLowerCase()}.`;
      has = now.messages.length;
      status = now.status;
      if (status === "Closed" || status === "Wrap-up") return ended(true);
    } catch (error) {
      return failed(error);
    }
  }
}

function resume(id) {
  chat = id;
  $("talk").replaceChildren();
  show(true);
  follow(id);
  $("text").focus();
}

$("start").addEventListener("submit", (e) => {
  e.preventDefault();
  attempt(async () => {
    const made = await ask("POST", "/chats", { app_id: widget, name: $("name").value });
    history.replaceState(null, "", "#" + made.id); // the page can be loaded again
    resume(made.id);
  });
});

$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  const text = $("text").value;
  $("text").value = "";
  attempt(() => ask("POST", `/chats/${chat}/messages`, { text })).then((said) => {
    if (!said && $("text").value === "") $("text").value = text;
  });
});

$("leave").addEventListener("click", () => attempt(() => ask("POST", `/chats/${chat}/leave`, {})));

$("again").addEventListener("click", () => {
  chat = "";
  history.replaceState(null, "", location.pathname);
  show(false);
  $("name").focus();
});

await attempt(async () => {
  const { widgets } = await ask("GET", "/places");
  const here = widgets.find((w) => w.id === widget);
  if (!here) throw new Error("There is no such widget.");
  $("title").textContent = document.title = `Chat: ${here.name}`;
});
if (location.hash.length > 1) resume(location.hash.slice(1));
else $("name").focus();
