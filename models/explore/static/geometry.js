"use strict";
// The hyperbolic plane of curvature -1 in polar coordinates, and what a view of it needs.
//
// A point is (r, t): its distance from a fixed origin and its direction. Disk coordinates end in
// double precision at r = 36 and lose one digit for each 2.3 of r before that; (r, t) does neither.
// A view is {r, t, turn}: the point in the middle of the picture, and the angle by which its frame
// (radially outward, then counterclockwise) is turned there. Points are never moved, so that
// nothing adds up however long a picture is dragged; what a drag changes are three numbers.
//
// Every formula below is a sum of terms of one sign where it can be, from the hyperbolic haversine
//   sinh²(d/2) = sinh²((r - q)/2) + sinh r sinh q sin²(a/2)
// of two points at r and q with an angle a between them.
const Geometry = (() => {
  const half = (x) => Math.sinh(x / 2) ** 2; // (cosh x - 1)/2 without cancellation

  const home = () => ({ r: 0, t: 0, turn: 0 });

  // Arrays from which many points are placed quickly: r, sinh r, and the unit direction.
  function prepare(r, t) {
    const n = r.length;
    const made = { r: Float64Array.from(r), sinh: new Float64Array(n),
      cos: new Float64Array(n), sin: new Float64Array(n) };
    for (let i = 0; i < n; i++) {
      made.sinh[i] = Math.sinh(r[i]);
      made.cos[i] = Math.cos(t[i]);
      made.sin[i] = Math.sin(t[i]);
    }
    return made;
  }

  // Disk coordinates of prepared points in a view, as x0, y0, x1, y1, ...
  function placeAll(view, points, out) {
    const sinhV = Math.sinh(view.r), coshV = Math.cosh(view.r);
    const cosV = Math.cos(view.t), sinV = Math.sin(view.t);
    const cosTurn = Math.cos(view.turn), sinTurn = Math.sin(view.turn);
    for (let i = 0; i < points.r.length; i++) {
      const c = points.cos[i], s = points.sin[i], sinh = points.sinh[i];
      const across = s * cosV - c * sinV; // sin of the angle between the two
      const dc = c - cosV, ds = s - sinV;
      const chord = (dc * dc + ds * ds) / 4; // sin² of its half
      const gap = points.r[i] - view.r, e = Math.expm1(gap);
      const time = 2 + e * e / (2 * (1 + e)) + 2 * sinh * sinhV * chord; // 1 + cosh d
      const x = (e + e / (1 + e)) / 2 - 2 * coshV * sinh * chord; // sinh(gap) - ...
      const y = sinh * across;
      out[2 * i] = (x * cosTurn - y * sinTurn) / time;
      out[2 * i + 1] = (x * sinTurn + y * cosTurn) / time;
    }
    return out;
  }

  const place = (view, r, t) => Array.from(placeAll(view, prepare([r], [t]), new Float64Array(2)));

  function dist(p, q) {
    const a = Math.sin((p.t - q.t) / 2);
    return 2 * Math.asinh(Math.sqrt(half(p.r - q.r) + Math.sinh(p.r) * Math.sinh(q.r) * a * a));
  }

  // The view after a walk of a length from its middle, in a direction of the picture. The frame is
  // carried along the geodesic, so that the picture moves without turning about its middle.
  function moved(view, length, direction) {
    if (!(length > 0)) return { ...view };
    const b = direction - view.turn; // in the frame of the old middle
    const ahead = Math.cos(b / 2) ** 2, behind = Math.sin(b / 2) ** 2;
    const sinhV = Math.sinh(view.r), sinhL = Math.sinh(length), cosh = Math.cosh(view.r);
    const sum = view.r + length, gap = view.r - length;
    const y = sinhL * Math.sin(b);
    // Two forms of one sum: the one whose second term is the smaller.
    const x = ahead > behind
      ? Math.sinh(sum) - 2 * cosh * sinhL * behind
      : Math.sinh(gap) + 2 * cosh * sinhL * ahead;
    const r = 2 * Math.asinh(Math.sqrt(half(gap) + sinhV * sinhL * ahead));
    // Of the tangent at the end of the way: Clairaut's relation, and the derivative of cosh r.
    const tangent = Math.atan2(sinhV * Math.sin(b),
      Math.sinh(sum) * ahead - Math.sinh(gap) * behind);
    return { r, t: wrapped(view.t + Math.atan2(y, x)), turn: wrapped(direction - tangent) };
  }

  const wrapped = (a) => a - 2 * Math.PI * Math.round(a / (2 * Math.PI));

  // The point of the plane at a place of the disk, |z| < 1.
  function pointAt(view, z) {
    const length = 2 * Math.atanh(Math.hypot(z[0], z[1]));
    const { r, t } = moved(view, length, Math.atan2(z[1], z[0]));
    return { r, t };
  }

  // The view in which what is at a, of the disk, is at b: by the translation along the geodesic
  // through the middle, z -> (z + p)/(1 + conj(p) z).
  function dragged(view, a, b) {
    const dx = b[0] - a[0], dy = b[1] - a[1];
    const re = a[0] * b[0] - a[1] * b[1], im = a[0] * b[1] + a[1] * b[0]; // a b
    const rest = 1 - (re * re + im * im);
    const px = (dx + re * dx + im * dy) / rest, py = (dy + im * dx - re * dy) / rest;
    return moved(view, 2 * Math.atanh(Math.hypot(px, py)), Math.atan2(-py, -px));
  }

  // A view in which the middle is a point, reached by the geodesic; share of the way, 0 to 1.
  function towards(view, point, share) {
    const z = place(view, point.r, point.t);
    const middle = { r: view.r, t: view.t };
    return moved(view, share * dist(middle, point), Math.atan2(z[1], z[0]));
  }

  // The geodesic between two places of the disk as an arc of a circle that meets the rim at right
  // angles. `bend` is half of its central angle, signed: the tangent leaves a turned by -bend from
  // the chord, and reaches b turned by +bend. Of a diameter bend is 0 and the radius infinite.
  function arc(a, b) {
    const cross = a[0] * b[1] - a[1] * b[0];
    const bend = Math.atan2(-cross, 1 - (a[0] * b[0] + a[1] * b[1])); // arg(1 - conj(a) b)
    const dx = b[0] - a[0], dy = b[1] - a[1];
    const k = 1 / (2 * Math.tan(bend)); // the centre is across the middle of the chord
    return {
      bend,
      radius: Math.hypot(dx, dy) / (2 * Math.abs(Math.sin(bend))),
      x: (a[0] + b[0]) / 2 - dy * k,
      y: (a[1] + b[1]) / 2 + dx * k,
    };
  }

  // Control points of the cubic that follows an arc from a to b with this bend: off by at most
  // 3e-4 of the radius up to a quarter of a circle.
  function controls(ax, ay, bx, by, bend) {
    const dx = (bx - ax) / 3, dy = (by - ay) / 3;
    const share = 1 / Math.cos(bend / 2) ** 2;
    const c = Math.cos(bend) * share, s = Math.sin(bend) * share;
    return [ax + dx * c + dy * s, ay + dy * c - dx * s, bx - dx * c + dy * s, by - dy * c - dx * s];
  }

  const toDisk = (r, t) => [Math.tanh(r / 2) * Math.cos(t), Math.tanh(r / 2) * Math.sin(t)];
  const fromDisk = (z) => ({
    r: 2 * Math.atanh(Math.hypot(z[0], z[1])), t: Math.atan2(z[1], z[0]),
  });

  return { home, prepare, placeAll, place, dist, moved, pointAt, dragged, towards, arc, controls,
    toDisk, fromDisk };
})();

// The same for flat space: (r, t) polar too, a view is {x, y}, and a unit of length is a unit of
// the picture.
const Flat = (() => {
  const home = () => ({ x: 0, y: 0 });
  const prepare = Geometry.prepare;
  function placeAll(view, points, out) {
    for (let i = 0; i < points.r.length; i++) {
      out[2 * i] = points.r[i] * points.cos[i] - view.x;
      out[2 * i + 1] = points.r[i] * points.sin[i] - view.y;
    }
    return out;
  }
  const dragged = (view, a, b) => ({ x: view.x - b[0] + a[0], y: view.y - b[1] + a[1] });
  function towards(view, point, share) {
    const x = point.r * Math.cos(point.t), y = point.r * Math.sin(point.t);
    return { x: view.x + share * (x - view.x), y: view.y + share * (y - view.y) };
  }
  const dist = (p, q) => Math.hypot(p.r - q.r,
    2 * Math.sqrt(p.r * q.r) * Math.sin((p.t - q.t) / 2));
  return { home, prepare, placeAll, dragged, towards, dist };
})();

if (typeof module !== "undefined") module.exports = { Geometry, Flat };
