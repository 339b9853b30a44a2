// Names and pictures take cells of four pixels; what finds none free is left out.
const CELL = 4;
let cells = new Uint8Array(0), columns = 0, lines = 0;

function room(x, y, w, h, take) {
  const left = Math.floor(x / CELL), right = Math.ceil((x + w) / CELL);
  const top = Math.floor(y / CELL), bottom = Math.ceil((y + h) / CELL);
  if (left < 0 || top < 0 || right > columns || bottom > lines) return false;
  for (let row = top; row < bottom; row++) {
    for (let c = left; c < right; c++) if (cells[row * columns + c]) return false;
  }
  if (take) for (let row = top; row < bottom; row++) cells.fill(1, row * columns + left, row * columns + right);
  return true;
}

// Takes all cells of a box, whatever is on them.
function block(x, y, w, h) {
  const left = Math.max(0, Math.floor(x / CELL)), right = Math.min(columns, Math.ceil((x + w) / CELL));
  const bottom = Math.min(lines, Math.ceil((y + h) / CELL));
  for (let row = Math.max(0, Math.floor(y / CELL)); row < bottom; row++) {
    if (right > left) cells.fill(1, row * columns + left, row * columns + right);
  }
}

function clearRoom() {
  columns = Math.ceil(scene.width / CELL);
  lines = Math.ceil(scene.height / CELL);
  if (cells.length !== columns * lines) cells = new Uint8Array(columns * lines);
  else cells.fill(0);
  for (const box of scene.covered) block(box.x, box.y, box.width, box.height);
}

const FONTS = [[650, 14.5], [550, 12.5], [450, 11.5]].map(([weight, px]) => ({
  px, font: `${weight} ${px}px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK JP", sans-serif`, widths: new Map(),
}));
const MOST_LETTERS = 34;

function shortened(i) {
  const letters = Array.from(nodes.names[i]);
  return letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join("")}…` : nodes.names[i];
}

function widthOf(i, style) {
  if (!style.widths.has(i)) {
    paint.font = style.font;
    style.widths.set(i, paint.measureText(shortened(i)).width);
  }
  return style.widths.get(i);
}

// By how much more than others a node stands for: by those below it, or by the first level.
function general(i) {
  if (edges.count) return nodes.below[i] / nodes.count;
  return schemes[0].title === "Level" && schemes[0].of[i] === 0 ? 1 : 0;
}

// Who may be named: what is selected and hovered, then general nodes, then what is large here.
function candidates() {
  const first = scene.selected < 0 ? [] : [scene.selected, ...scene.way, ...scene.nearest.map((n) => n.node)];
  if (scene.hovered >= 0) first.unshift(scene.hovered);
  const wide = [], local = [], zoom = scene.camera.k / scene.fit.k;
  for (const i of nodes.order) {
    const x = scene.x[i], y = scene.y[i];
    if (x < 0 || y < 0 || x > scene.width || y > scene.height || !shown(i)) continue;
    const f = Math.min(1, scene.near[i] * zoom);
    if (f < (pictureOf(i) < 0 ? 0.1 : 0.015)) continue;
    if (nodes.below[i] > 0 && wide.length < 240) wide.push(i);
    else if (f > 0.2 || pictureOf(i) >= 0) local.push(i);
  }
  if (!edges.count) return { first, rest: local };
  local.sort((a, b) => scene.near[b] - scene.near[a]);
  return { first, rest: wide.concat(local.slice(0, 240)) };
}

function drawLabels() {
  clearRoom();
  const { first, rest } = candidates();
  const limit = Math.round(Math.min(60, Math.max(16, (scene.width * scene.height) / 21000)));
  const named = new Set(), zoom = scene.camera.k / scene.fit.k;
  scene.labels = [];
  Object.assign(paint, { lineJoin: "round", lineWidth: 3.5, textBaseline: "middle" });
  if (picture) for (const i of drawPictures(first.concat(rest))) if (i !== scene.selected && i !== scene.hovered) named.add(i);
  for (const i of rest) { // no name covers a large dot
    const s = scene.size[i] - 2;
    if (s > 1.5) block(scene.x[i] - s, scene.y[i] - s, 2 * s, 2 * s);
  }
  const label = (i, style, always) => {
    if (named.has(i) || !nodes.names[i]) return;
    const w = widthOf(i, style), h = style.px + 3, gap = Math.max(scene.size[i], always ? 6 : 0) + 5;
    const x = scene.x[i], y = scene.y[i];
    const right = [x + gap, y - h / 2], left = [x - gap - w, y - h / 2];
    const spots = x < scene.camera.x ? [left, right] : [right, left];
    spots.push([x - w / 2, y - gap - h], [x - w / 2, y + gap]);
    const spot = spots.find(([a, b]) => room(a - 2, b, w + 4, h, false));
    if (!spot) return;
    room(spot[0] - 2, spot[1], w + 4, h, true);
    named.add(i);
    scene.labels.push({ node: i, x: spot[0], y: spot[1], w, h, style });
  };
  for (const i of first) label(i, i === scene.selected || i === scene.hovered ? FONTS[0] : FONTS[1], true);
  for (const i of rest) {
    if (scene.labels.length >= limit + first.length) break;
    const f = Math.min(1, scene.near[i] * zoom);
    label(i, f > 0.5 && general(i) > 0.02 ? FONTS[0] : f > 0.3 && general(i) > 0.003 ? FONTS[1] : FONTS[2], false);
  }
  // A halo keeps letters apart from lines; while much moves, a veil does, which is quicker.
  const veiled = scene.moving && nodes.count > 2 * MOST_MOVING;
  paint.strokeStyle = paint.fillStyle = scene.ink.disk;
  paint.globalAlpha = veiled ? 0.6 : 0.88;
  for (const { node, x, y, w, h, style } of scene.labels) {
    paint.font = style.font;
    if (veiled) paint.fillRect(x - 2, y + 1, w + 4, h - 2);
    else paint.strokeText(shortened(node), x, y + h / 2);
  }
  paint.globalAlpha = 1;
  paint.fillStyle = scene.ink.ink;
  for (const { node, x, y, h, style } of scene.labels) {
    paint.font = style.font;
    paint.fillText(shortened(node), x, y + h / 2);
  }
}

function drawPictures(order) {
  const drawn = new Set();
  if (!picture.image.complete) return drawn;
  const { side, columns: across } = picture;
  for (const i of order) {
    const p = picture.of[i];
    if (p < 0 || drawn.has(i)) continue;
    const size = i === scene.selected ? 44 : 15 + 22 * Math.min(1, scene.near[i] * (scene.camera.k / scene.fit.k));
    const x = scene.x[i] - size / 2, y = scene.y[i] - size / 2;
    if (!room(x, y, size, size, true)) continue;
    if (scene.theme === "dark") {
      paint.fillStyle = "#fff";
      paint.beginPath();
      paint.roundRect(x - 1, y - 1, size + 2, size + 2, 5);
      paint.fill();
    }
    paint.drawImage(picture.image, (p % across) * side, Math.floor(p / across) * side, side, side, x, y, size, size);
    drawn.add(i);
    if (drawn.size >= 200) break;
  }
  return drawn;
}
