// What stands beside the picture: facts, search, colours, the selected point. Names are untrusted
// and go in as text, never as HTML.
const $ = (id) => document.getElementById(id);

function make(kind, text, className) {
  const element = document.createElement(kind);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

const amount = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;

function describe() {
  const count = amount(nodes.count, "point");
  $("facts").textContent = edges.count ? `${count}, ${amount(edges.count, "edge")}` : count;
  const steps = edges.count ? "" : " The way inwards goes from each point to the nearest one that is nearer to the middle.";
  const scale = !hyperbolic || scene.share === 1 ? "" :
    " Distances from the middle are drawn shorter than they are, at the share above; at 100 % none is.";
  $("note").textContent = `${data.manifold}. ${scene.layout.note}${scale}${steps}` +
    (data.biased ? " Distances are less the bias of the nearer point." : "");
}

const shrunk = hyperbolic && data.share < 1;

// Which layout is shown, and at which share of its lengths.
function showLayout() {
  layouts.forEach((layout, k) => $(`layout-${k}`).setAttribute("aria-pressed", String(layout === scene.layout)));
  $("shrink").hidden = !shrunk || scene.layout !== layouts[0];
  $("percent").textContent = `${(scene.share * 100).toPrecision(2)} %`.replace(/^1\.0e\+2/, "100");
  describe();
}

// A picture out of the atlas, as the background of an element; none if the node has none.
function face(element, i, size) {
  const p = i < 0 ? -1 : pictureOf(i);
  element.hidden = p < 0;
  if (p < 0) return;
  const scale = size / picture.side;
  Object.assign(element.style, {
    width: `${size}px`, height: `${size}px`,
    backgroundImage: `url("${picture.source}")`,
    backgroundSize: `${picture.columns * picture.side * scale}px ${picture.rows * picture.side * scale}px`,
    backgroundPosition: `${-(p % picture.columns) * size}px ${-Math.floor(p / picture.columns) * size}px`,
  });
}

function placeInWords(i) {
  const words = [scene.scheme.names[scene.scheme.of[i]]];
  if (scene.scheme.ordered) words[0] = `${scene.scheme.title.toLowerCase()} ${words[0]}`;
  words.push(`${length(nodes.radius[i] * data.unit)} from the middle`);
  return words.join(" · ");
}

function entry(i, number) {
  const item = make("li"), button = make("button"), mark = make("i");
  button.type = "button";
  mark.style.background = scene.colours[scene.scheme.of[i]];
  button.append(mark, make("span", nodes.names[i] || "(no name)"));
  if (number !== undefined) button.append(make("small", length(number)));
  button.addEventListener("click", () => choose(i, true));
  item.append(button);
  return item;
}

const MOST_BELOW = 40;

function showPanel() {
  const i = scene.selected;
  $("panel").hidden = i < 0;
  document.body.classList.toggle("chosen", i >= 0);
  if (i < 0) return;
  face($("face"), i, 96);
  $("name").textContent = nodes.names[i] || "(no name)";
  $("place").textContent = placeInWords(i);
  $("way-title").textContent = edges.count ? "Way to the root" : "Way inwards";
  const way = scene.way.map((j) => entry(j));
  way[0].setAttribute("aria-current", "true");
  $("way").replaceChildren(...way);
  $("near-title").hidden = !nodes.k;
  $("near").replaceChildren(...scene.nearest.map(({ node, distance }) => entry(node, distance)));
  const below = edges.below(i);
  $("below-part").hidden = !below.length;
  $("below-title").textContent = `Below it: ${below.length.toLocaleString("en")}`;
  $("below").replaceChildren(...below.slice(0, MOST_BELOW).map((j) => entry(j)));
  if (below.length > MOST_BELOW) $("below").append(make("li", `and ${below.length - MOST_BELOW} more`));
  $("panel").scrollTop = 0;
}

function showLegend() {
  const sizes = new Array(scene.scheme.names.length).fill(0);
  for (const kind of scene.scheme.of) sizes[kind]++;
  const rows = [];
  scene.scheme.names.forEach((name, kind) => {
    if (!sizes[kind]) return;
    const item = make("li"), button = make("button"), mark = make("i");
    button.type = "button";
    button.title = "Show or hide";
    button.setAttribute("aria-pressed", String(!scene.hidden.has(kind)));
    mark.style.background = scene.colours[kind];
    button.append(mark, make("span", name), make("small", sizes[kind].toLocaleString("en")));
    button.addEventListener("click", () => {
      if (!scene.hidden.delete(kind)) scene.hidden.add(kind);
      button.setAttribute("aria-pressed", String(!scene.hidden.has(kind)));
      refresh();
    });
    item.append(button);
    rows.push(item);
  });
  $("classes").replaceChildren(...rows);
}

// -- search ---------------------------------------------------------------------------------

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const foldedNames = nodes.names.map(folded);
const MOST_FOUND = 12;
const search = { found: [], active: -1 };

// Names that begin so before those with a word that does, and these before those that hold it;
// the most general first.
function lookUp(text) {
  const wanted = folded(text.trim());
  if (!wanted) return [];
  const ranks = [[], [], []];
  for (const i of nodes.order) {
    const at = foldedNames[i].indexOf(wanted);
    if (at < 0) continue;
    const whole = at === 0 ? 0 : /[\p{L}\p{N}]/u.test(foldedNames[i][at - 1]) ? 2 : 1;
    if (foldedNames[i] === wanted) ranks[0].unshift(i);
    else if (ranks[whole].length < MOST_FOUND) ranks[whole].push(i);
  }
  return ranks.flat().slice(0, MOST_FOUND);
}

function showResults() {
  const box = $("search"), list = $("results"), open = box.value.trim() !== "";
  list.hidden = !open;
  box.setAttribute("aria-expanded", String(open));
  list.replaceChildren(...search.found.map((i, k) => {
    const item = make("li", nodes.names[i]);
    item.id = `result-${k}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(k === search.active));
    if (nodes.up[i] >= 0 && edges.count) item.append(make("small", `under ${nodes.names[nodes.up[i]]}`));
    item.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      take(i);
    });
    return item;
  }));
  if (open && !search.found.length) {
    const none = make("li", "No such name", "none");
    none.setAttribute("role", "option");
    none.setAttribute("aria-disabled", "true");
    list.append(none);
  }
  if (search.active >= 0) box.setAttribute("aria-activedescendant", `result-${search.active}`);
  else box.removeAttribute("aria-activedescendant");
  list.children[search.active]?.scrollIntoView({ block: "nearest" });
}

function take(i) {
  $("search").value = "";
  search.found = [];
  showResults();
  canvas.focus({ preventScroll: true });
  choose(i, true);
}

function listenToSearch() {
  const box = $("search");
  box.addEventListener("input", () => {
    search.found = lookUp(box.value);
    search.active = search.found.length ? 0 : -1;
    showResults();
  });
  box.addEventListener("focus", showResults);
  box.addEventListener("blur", () => {
    $("results").hidden = true;
    box.setAttribute("aria-expanded", "false");
  });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // an input method is choosing among characters
    const n = search.found.length;
    if (event.key === "ArrowDown" && n) search.active = (search.active + 1) % n;
    else if (event.key === "ArrowUp" && n) search.active = (search.active + n - 1) % n;
    else if (event.key === "Enter" && search.active >= 0) return take(search.found[search.active]);
    else if (event.key === "Escape") {
      if (box.value) box.value = "";
      else canvas.focus();
      search.found = [];
    } else return;
    event.preventDefault();
    showResults();
  });
}
