// When the picture is drawn and from where: the camera, flights, and the two layouts.
let asked = false, flight = null, frames = 0;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function refresh() {
  if (!asked) {
    asked = true;
    requestAnimationFrame(frame);
  }
}

function frame(now) {
  asked = false;
  frames++;
  if (flight) step(now);
  draw();
  if (flight) refresh();
}

// -- camera ---------------------------------------------------------------------------------

const FARTHEST = 0.8, CLOSEST = 4000;

// Where the whole picture fits: between what stands beside it.
function fitted() {
  const { width: w, height: h } = scene, narrow = w <= 720, open = !$("panel").hidden;
  const side = narrow ? 0 : $("head").offsetWidth + 32;
  const left = w > 900 || !open ? side : 0, right = open && !narrow ? $("panel").offsetWidth + 32 : 0;
  const top = narrow ? $("head").offsetHeight + 20 : 0;
  const below = narrow ? (open ? $("panel") : $("legend")).offsetHeight + 20 : 0;
  const margin = narrow ? 8 : 18;
  const k = Math.max(60, Math.min((w - left - right) / 2 - margin, (h - top - below) / 2 - margin));
  return { k, x: left + (w - left - right) / 2, y: top + (h - top - below) / 2 };
}

// To where the whole picture fits now, if it was there before; slowly where something opened.
function refit(slowly) {
  const old = scene.fit, { camera } = scene;
  const whole = camera.k === old.k && camera.x === old.x && camera.y === old.y;
  scene.fit = fitted();
  scene.covered = [...document.querySelectorAll("header, section, nav, aside")]
    .filter((card) => !card.hidden).map((card) => card.getBoundingClientRect());
  if (flight) return;
  if (!whole) scene.camera = bounded(camera);
  else if (slowly && hyperbolic) fly(middle());
  else scene.camera = { ...scene.fit };
  refresh();
}

const middle = () => (hyperbolic ? { r: scene.view.r, t: scene.view.t } : null);

function resize() {
  const box = canvas.getBoundingClientRect();
  Object.assign(scene, { width: box.width, height: box.height, ratio: Math.min(devicePixelRatio || 1, 2) });
  dots.clear(); // of another ratio
  canvas.width = Math.round(box.width * scene.ratio);
  canvas.height = Math.round(box.height * scene.ratio);
  refit(false);
}

function bounded(camera) {
  const k = Math.min(CLOSEST * scene.fit.k, Math.max(FARTHEST * scene.fit.k, camera.k));
  // Zoomed about a place of the disk the middle moves by no more than this; at the end it is home.
  const most = Math.max(0, k - scene.fit.k);
  const dx = camera.x - scene.fit.x, dy = camera.y - scene.fit.y, off = Math.hypot(dx, dy);
  const keep = off > most ? most / off : 1;
  return { k, x: scene.fit.x + dx * keep, y: scene.fit.y + dy * keep };
}

function zoomAt(x, y, factor) {
  halt();
  const { camera, fit } = scene;
  const k = Math.min(CLOSEST * fit.k, Math.max(FARTHEST * fit.k, camera.k * factor)), s = k / camera.k;
  scene.camera = bounded({ k, x: x + (camera.x - x) * s, y: y + (camera.y - y) * s });
  refresh();
}

// The place of the disk under a pointer, held inside of the rim.
const RIM = 0.9995;

function placeAt(x, y) {
  const { camera } = scene;
  let u = (x - camera.x) / camera.k, v = (camera.y - y) / camera.k;
  const far = Math.hypot(u, v);
  if (hyperbolic && far > RIM) {
    u *= RIM / far;
    v *= RIM / far;
  }
  return [u, v];
}

// Takes a view, unless it is farther out than anything that there is to see.
function turnTo(view) {
  if (hyperbolic && view.r > scene.share * scene.layout.farthest + 6 && view.r > scene.view.r) return;
  scene.view = view;
}

// -- flights --------------------------------------------------------------------------------

// To a point in the middle; ``home``, upright; ``morph``, from where the points were to where they are.
function fly(point, home, morph) {
  halt();
  const from = { ...scene.view }, camera = { ...scene.camera };
  const d = hyperbolic ? Geometry.dist({ r: from.r, t: from.t }, point) : 1;
  const time = calm.matches ? 0 : Math.min(1500, (morph ? 900 : 420) + 130 * d);
  flight = { from, camera, point, home, morph, time, begun: null };
  refresh();
}

// Ends a flight where it is; points on their way are where they were to go.
function halt() {
  if (flight?.morph) scene.points = flight.morph.to;
  flight = null;
}

function step(now) {
  flight.begun ??= now;
  const t = flight.time ? Math.min(1, (now - flight.begun) / flight.time) : 1;
  const s = t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
  const { camera, from, point, home, morph } = flight;
  if (morph) scene.points = t < 1 ? between(morph.from, morph.to, s) : morph.to;
  scene.view = Space.towards(from, point, s);
  if (home && hyperbolic) { // upright again at the end
    const turn = Space.towards(from, point, 1); // where the picture would end as it is carried
    const over = turn.turn - turn.t;
    scene.view.turn -= s * (over - 2 * Math.PI * Math.round(over / (2 * Math.PI)));
  }
  const mix = (a, b) => a + s * (b - a);
  scene.camera = {
    k: camera.k * (scene.fit.k / camera.k) ** s, x: mix(camera.x, scene.fit.x), y: mix(camera.y, scene.fit.y),
  };
  scene.moving = t < 1;
  if (t === 1) {
    if (home) scene.view = Space.home();
    flight = null;
  }
}

const pointOf = (i) => ({ r: scene.layout.r[i] * scene.share, t: scene.layout.t[i] });

// A share of the way from prepared points to others, straight in normal coordinates at the origin.
function between(from, to, share) {
  const r = new Float64Array(nodes.count), t = new Float64Array(nodes.count);
  for (let i = 0; i < nodes.count; i++) {
    const x = from.r[i] * from.cos[i] * (1 - share) + to.r[i] * to.cos[i] * share;
    const y = from.r[i] * from.sin[i] * (1 - share) + to.r[i] * to.sin[i] * share;
    r[i] = Math.hypot(x, y);
    t[i] = Math.atan2(y, x);
  }
  return Space.prepare(r, t);
}

// The selected point stays or comes into the middle, else the whole is shown.
function setLayout(layout) {
  if (layout === scene.layout) return;
  scene.layout.share = scene.share; // as the slider has it
  const from = scene.points;
  Object.assign(scene, { layout, share: layout.share });
  reshape();
  const to = scene.points;
  scene.points = from;
  if (scene.selected >= 0) fly(pointOf(scene.selected), false, { from, to });
  else fly({ r: 0, t: 0 }, true, { from, to });
  showLayout();
}

function choose(i, going) {
  scene.selected = i;
  scene.way = i < 0 ? [] : wayOf(i);
  scene.nearest = i < 0 ? [] : nearOf(i);
  showPanel();
  if (i >= 0 && going) fly(pointOf(i));
  refit(true);
  refresh();
}
