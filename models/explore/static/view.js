// Hands on the picture: pointers, wheel, keys and buttons; and the start of everything.
// -- pointers -------------------------------------------------------------------------------

function nodeAt(x, y, reach) {
  let best = -1, least = Infinity;
  for (const i of nodes.order) {
    const d = Math.hypot(scene.x[i] - x, scene.y[i] - y);
    if (d < least && d <= Math.max(reach, scene.size[i] + 5) && shown(i)) {
      least = d;
      best = i;
    }
  }
  return best;
}

function hover(i, x, y) {
  if (i !== scene.hovered) {
    scene.hovered = i;
    canvas.classList.toggle("over", i >= 0);
    $("tip").hidden = i < 0;
    if (i >= 0) {
      $("tip-name").textContent = nodes.names[i] || "(no name)";
      $("tip-more").textContent = placeInWords(i);
      face($("tip-face"), i, 56);
    }
    refresh();
  }
  if (i < 0) return;
  const tip = $("tip").getBoundingClientRect();
  const left = Math.max(8, Math.min(x + 16, scene.width - tip.width - 8));
  const top = y + 20 + tip.height > scene.height ? y - tip.height - 14 : y + 20;
  $("tip").style.transform = `translate(${left}px, ${top}px)`;
}

const held = new Map();
let grip = null; // where the hands took hold: places of the disk, the view, the camera

function grab() {
  const at = [...held.values()];
  const x = at.reduce((s, p) => s + p.x, 0) / at.length, y = at.reduce((s, p) => s + p.y, 0) / at.length;
  const span = at.length > 1 ? Math.hypot(at[0].x - at[1].x, at[0].y - at[1].y) : 0;
  return { x, y, span };
}

function hold() {
  if (!held.size) {
    grip = null;
    return;
  }
  const now = grab();
  grip = { ...now, place: placeAt(now.x, now.y), view: { ...scene.view }, camera: { ...scene.camera } };
}

function pull() {
  const now = grab();
  if (grip.span) {
    const s = now.span / grip.span, c = grip.camera;
    const k = Math.min(CLOSEST * scene.fit.k, Math.max(FARTHEST * scene.fit.k, c.k * s)), f = k / c.k;
    scene.camera = bounded({ k, x: grip.x + (c.x - grip.x) * f, y: grip.y + (c.y - grip.y) * f });
  }
  turnTo(Space.dragged(grip.view, grip.place, placeAt(now.x, now.y)));
  scene.moving = true;
  refresh();
}

function listenToPointers() {
  let begun = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    halt();
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    begun = held.size === 1 ? { x: event.clientX, y: event.clientY, moved: false } : { ...begun, moved: true };
    hold();
  });
  canvas.addEventListener("pointermove", (event) => {
    const { clientX: x, clientY: y, pointerId, pointerType } = event;
    if (!held.has(pointerId)) {
      if (pointerType !== "touch") hover(nodeAt(x, y, 12), x, y);
      return;
    }
    held.set(pointerId, { x, y });
    if (!begun.moved && Math.hypot(x - begun.x, y - begun.y) < (pointerType === "touch" ? 8 : 4)) return;
    begun.moved = true;
    canvas.classList.add("held");
    hover(-1);
    pull();
  });
  const release = (event) => {
    if (!held.delete(event.pointerId)) return;
    hold();
    scene.moving = false;
    canvas.classList.remove("held");
    if (event.type === "pointerup" && !begun.moved && !held.size) {
      choose(nodeAt(event.clientX, event.clientY, event.pointerType === "touch" ? 24 : 12), false);
    }
    refresh();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("dblclick", (event) => {
    const place = placeAt(event.clientX, event.clientY);
    if (hyperbolic) fly(Geometry.pointAt(scene.view, place));
  });
  let still = 0;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    hover(-1);
    scene.moving = true;
    zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)));
    clearTimeout(still);
    still = setTimeout(() => {
      scene.moving = false;
      refresh();
    }, 160);
  }, { passive: false });
}

// -- keys and buttons -----------------------------------------------------------------------

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const walk = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const { fit } = scene;
  if (walk) {
    halt();
    const far = (event.shiftKey ? 0.5 : 0.16) * (fit.k / scene.camera.k);
    turnTo(Space.dragged(scene.view, [0, 0], [walk[0] * far, walk[1] * far]));
    refresh();
  } else if (event.key === "+" || event.key === "=") zoomAt(fit.x, fit.y, 1.3);
  else if (event.key === "-" || event.key === "_") zoomAt(fit.x, fit.y, 1 / 1.3);
  else if (event.key === "Home" || event.key === "0") goHome();
  else if (event.key === "Enter") choose(nodeAt(fit.x, fit.y, Infinity), true);
  else if (event.key === "u" && scene.selected >= 0 && scene.way.length > 1) choose(scene.way[1], true);
  else if (event.key === "Escape") choose(-1, false);
  else if (event.key === "/") $("search").focus();
  else return;
  event.preventDefault();
}

function goHome() {
  fly({ r: 0, t: 0 }, true);
}

function setTheme(theme) {
  scene.theme = theme;
  document.documentElement.dataset.theme = theme;
  $("theme").setAttribute("aria-pressed", String(theme === "dark"));
  recolour();
  showLegend();
  showPanel();
  refresh();
}

function setShare(share) {
  const old = scene.share;
  scene.share = share;
  if (hyperbolic) scene.view.r *= share / old;
  flight = null;
  reshape();
  showLayout();
  refresh();
}

function listenToButtons() {
  $("home").addEventListener("click", goHome);
  $("closer").addEventListener("click", () => zoomAt(scene.fit.x, scene.fit.y, 1.5));
  $("farther").addEventListener("click", () => zoomAt(scene.fit.x, scene.fit.y, 1 / 1.5));
  $("close").addEventListener("click", () => {
    choose(-1, false);
    canvas.focus({ preventScroll: true });
  });
  $("theme").addEventListener("click", () => setTheme(scene.theme === "dark" ? "light" : "dark"));
  schemes.forEach((scheme, k) => {
    const option = make("option", scheme.title);
    option.value = String(k);
    $("scheme").append(option);
  });
  $("scheme").addEventListener("change", (event) => {
    scene.scheme = schemes[event.target.value];
    scene.hidden.clear();
    recolour();
    showLegend();
    showPanel();
    refresh();
  });
  $("layouts").hidden = layouts.length < 2;
  layouts.forEach((layout, k) => $(`layout-${k}`).addEventListener("click", () => setLayout(layout)));
  if (shrunk) { // a share of the lengths was taken, by a scale of logarithms
    const least = data.share / 3;
    $("share").value = String(Math.log(data.share / least) / Math.log(1 / least));
    $("share").addEventListener("input", (event) => setShare(least ** (1 - event.target.value)));
  }
  canvas.addEventListener("keydown", press);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/INPUT|SELECT/.test(event.target.tagName) && event.target !== canvas) {
      event.preventDefault();
      $("search").focus();
    }
    if (event.key === "Escape" && $("panel").contains(event.target)) {
      choose(-1, false);
      canvas.focus({ preventScroll: true });
    }
  });
}

function start() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  reshape();
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
  listenToSearch();
  listenToPointers();
  listenToButtons();
  setShare(scene.share);
  if (picture) {
    picture.image.addEventListener("load", refresh);
    picture.image.src = picture.source;
  }
  new ResizeObserver(resize).observe(canvas);
  resize();
}

start();

// For tests and for the curious: what is shown, and a way to ask for it.
globalThis.explorer = { scene, nodes, edges, layouts, Geometry, draw, choose, fly, goHome, setLayout, placeAt, nodeAt, frames: () => frames, flying: () => flight !== null };
