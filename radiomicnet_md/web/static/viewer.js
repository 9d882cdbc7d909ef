// SPDX-License-Identifier: Apache-2.0
// Draws what the server sent, layer on layer, and tells it by SHA-256 what was drawn; it computes nothing of a decision.
"use strict";

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The bytes of a layer, their digest, and, of a picture, what the browser made of them.
async function fetchLayer(record, name) {
  const place = name === "record.txt" ? name : `layers/${name}.png`;
  const answer = await fetch(`/records/${record}/${place}`, { headers: { accept: "application/json, */*" } });
  if (!answer.ok) {
    const said = await answer.json().catch(() => null);
    throw new Error(said ? `${said.error.text} [${said.error.code}]` : `HTTP ${answer.status}`);
  }
  const bytes = await answer.arrayBuffer();
  const digest = await sha256(bytes);
  if (name === "record.txt") return { name, digest, text: new TextDecoder().decode(bytes) };
  const blob = new Blob([bytes], { type: "image/png" });
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  return { name, digest, picture };
}

class Viewer {
  constructor(canvas, rows, columns, chosen) {
    Object.assign(this, { canvas, rows, columns, chosen, layers: {}, map: null, cross: null, due: false });
    this.context = canvas.getContext("2d");
    this.settings = { window: 255, level: 128, line: 1, map: 0.6, second: true };
    this.scale = 1;
    this.left = this.top = 0;
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    this.listen();
  }

  add(layer) {
    this.layers[layer.name] = layer.picture;
    if (layer.name === "image") this.source = this.read(layer.picture);
    this.resize();
  }

  // The grey levels of the image, from which window and level are made anew each time.
  read(picture) {
    const board = new OffscreenCanvas(picture.width, picture.height);
    const context = board.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return { board, context, levels: context.getImageData(0, 0, picture.width, picture.height) };
  }

  expose() {
    if (!this.source) return;
    const { levels, context } = this.source;
    const { window: wide, level } = this.settings;
    const table = Uint8ClampedArray.from({ length: 256 }, (_, grey) => (255 * (grey - (level - wide / 2))) / wide);
    const shown = new ImageData(levels.width, levels.height);
    for (let at = 0; at < levels.data.length; at += 4) {
      const grey = wide === 255 && level === 128 ? levels.data[at] : table[levels.data[at]];
      shown.data[at] = shown.data[at + 1] = shown.data[at + 2] = grey;
      shown.data[at + 3] = 255;
    }
    context.putImageData(shown, 0, 0);
  }

  resize() {
    const wide = this.canvas.parentElement.clientWidth;
    const high = Math.round(Math.min((wide * this.rows) / this.columns, window.innerHeight * 0.8));
    const dots = window.devicePixelRatio || 1;
    this.canvas.style.height = `${high}px`;
    this.canvas.width = Math.round(wide * dots);
    this.canvas.height = Math.round(high * dots);
    this.fit = Math.min(this.canvas.width / this.columns, this.canvas.height / this.rows);
    this.expose();
    this.draw();
  }

  // Where the image lies on the canvas: pixels of the canvas for a pixel of the image, and its upper left corner.
  place() {
    const scale = this.fit * this.scale;
    const [wide, high] = [this.columns * scale, this.rows * scale];
    const hold = (offset, room, size) => (size <= room ? (room - size) / 2 : clamp(offset + (room - size) / 2, room - size, 0));
    return { scale, x: hold(this.left, this.canvas.width, wide), y: hold(this.top, this.canvas.height, high), wide, high };
  }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.paint(); });
  }

  paint() {
    const { context, canvas, layers, settings } = this;
    const { scale, x, y, wide, high } = this.place();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const lay = (picture, opacity, smooth) => {
      if (!picture || opacity === 0) return;
      context.globalAlpha = opacity;
      context.imageSmoothingEnabled = smooth;
      context.drawImage(picture, x, y, wide, high);
    };
    lay(this.source && this.source.board, 1, scale < 1);
    lay(this.map, settings.map, false);
    lay(settings.second ? layers["runner-up"] : null, settings.line, true);
    lay(layers.outline, settings.line, true);
    context.globalAlpha = 1;
    if (!this.cross) return;
    const [cx, cy] = [x + (this.cross.column + 0.5) * scale, y + (this.cross.row + 0.5) * scale];
    for (const [ink, width] of [["#000", 3], ["#fff", 1]]) {
      context.strokeStyle = ink;
      context.lineWidth = width * (window.devicePixelRatio || 1);
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(cx + 6 * dx, cy + 6 * dy);
        context.lineTo(cx + 16 * dx, cy + 16 * dy);
      }
      context.stroke();
    }
  }

  zoom(factor) {
    const before = this.scale;
    this.scale = clamp(this.scale * factor, 1, 32);
    this.left *= this.scale / before;
    this.top *= this.scale / before;
    this.draw();
  }

  move(dx, dy) {
    const { wide, high } = this.place();
    const most = (size, room) => Math.max(0, (size - room) / 2);
    this.left = clamp(this.left + dx, -most(wide, this.canvas.width), most(wide, this.canvas.width));
    this.top = clamp(this.top + dy, -most(high, this.canvas.height), most(high, this.canvas.height));
    this.draw();
  }

  reset() {
    this.scale = 1;
    this.left = this.top = 0;
    this.draw();
  }

  choose(row, column) {
    this.cross = { row: clamp(row, 0, this.rows - 1), column: clamp(column, 0, this.columns - 1) };
    this.draw();
    this.chosen(this.cross.row, this.cross.column);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const { scale, x, y } = this.place();
    const dots = this.canvas.width / box.width;
    return {
      row: Math.floor(((event.clientY - box.top) * dots - y) / scale),
      column: Math.floor(((event.clientX - box.left) * dots - x) / scale),
    };
  }

  listen() {
    const { canvas } = this;
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      held = { x: event.clientX, y: event.clientY, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) {
        const { row, column } = this.at(event);
        if (row >= 0 && row < this.rows && column >= 0 && column < this.columns) this.choose(row, column);
        return;
      }
      const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
      if (!held.moved && Math.hypot(dx, dy) < 3) return;
      if (event.shiftKey) {
        this.set("window", clamp(this.settings.window + dx, 1, 255));
        this.set("level", clamp(this.settings.level + dy, 0, 255));
      } else this.move(dx * (window.devicePixelRatio || 1), dy * (window.devicePixelRatio || 1));
      held = { x: event.clientX, y: event.clientY, moved: true };
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held && !held.moved) { const { row, column } = this.at(event); this.choose(row, column); }
      held = null;
    });
    canvas.addEventListener("pointercancel", () => { held = null; });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2); });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const ways = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const way = ways[event.key];
    if (way) {
      if (event.altKey) this.move(-40 * way[1], -40 * way[0]);
      else {
        const step = event.shiftKey ? 10 : 1;
        const from = this.cross || { row: Math.floor(this.rows / 2), column: Math.floor(this.columns / 2) };
        this.choose(from.row + step * way[0], from.column + step * way[1]);
      }
    } else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
  }

  set(name, value) {
    this.settings[name] = value;
    if (name === "window" || name === "level") {
      this.expose();
      const slider = document.getElementById(name);
      slider.value = String(Math.round(value));
    }
    this.draw();
  }
}
