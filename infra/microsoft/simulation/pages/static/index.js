import { $, ask, attempt } from "/page.js";

function links(list, base, places) {
  list.replaceChildren(...places.map((p) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = base + encodeURIComponent(p.id);
    link.textContent = p.name;
    item.append(link);
    return item;
  }));
}

await attempt(async () => {
  const { widgets, people } = await ask("GET", "/places");
  links($("widgets"), "/widgets/", widgets);
  links($("desks"), "/desks/", people);
});
