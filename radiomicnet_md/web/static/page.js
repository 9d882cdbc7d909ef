// SPDX-License-Identifier: Apache-2.0
// One case: loads its layers, shows a pixel's sum, and lets a person sign once everything was drawn.
"use strict";

const article = document.getElementById("case");
const { record, csrf } = article.dataset;
const drawn = document.getElementById("drawn");
const element = (id) => document.getElementById(id);
let viewer = null;
let asked = 0;

function cells(row, values, head) {
  values.forEach((value, at) => {
    const cell = document.createElement(at === 0 && head ? "th" : "td");
    if (at === 0 && head) cell.scope = "row";
    if (at > 1) cell.className = "number";
    cell.textContent = value;
    row.append(cell);
  });
  return row;
}

function showPixel(said) {
  const words = element("pixel-words").dataset;
  const sure = said.certified ? words.sure : words.unsure;
  const inside = said.inside ? words.inside : words.outside;
  element("pixel-place").textContent =
    `${words.row} ${said.row}, ${words.column} ${said.column}, ${words.level} ${said.level}, ${inside}. ` +
    (said.logit === null ? "" : `${words.sum} ${said.text.logit} = `) +
    `${words.bias} ${said.text.bias}, ${words.named} ${said.text.named}` +
    (said.logit === null ? "" : `, ${words.rest} ${said.text.rest}`) + `; ${sure}.`;
  const table = element("pixel");
  const [body, foot] = [table.tBodies[0], table.tFoot];
  body.replaceChildren();
  foot.replaceChildren();
  for (const one of said.rows) cells(body.insertRow(), [one.name, one.ibsi, one.text, one.value], true);
  cells(body.insertRow(), [words.bias, "", said.text.bias, said.bias], true);
  const rest = said.rest === null ? [`${words.unknown} ±${said.text.rho.replace("+", "")}`, ""] : [said.text.rest, said.rest];
  cells(body.insertRow(), [words.rest, "", ...rest], true);
  if (said.logit !== null) cells(foot.insertRow(), [words.sum, "", said.text.logit, said.logit], true);
  table.hidden = false;
}

// The newest pixel asked for is the one shown; those that were passed over on the way are not asked for.
function choosePixel(row, column) {
  if (!element("pixel")) return;
  const turn = ++asked;
  setTimeout(async () => {
    if (turn !== asked) return;
    const answer = await fetch(`/records/${record}/pixels/${row}/${column}`, { headers: { accept: "application/json" } });
    const said = await answer.json();
    if (turn !== asked) return;
    if (answer.ok) showPixel(said);
    else element("pixel-place").textContent = said.error.text;
  }, 60);
}

async function report(shown) {
  const body = new URLSearchParams({ csrf, shown: JSON.stringify(shown) });
  const answer = await fetch(`/records/${record}/displayed`, { method: "POST", body, headers: { accept: "application/json" } });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error.text);
  return said;
}

function allowSigning(said) {
  if (!element("sign") || !said.enough) return;
  element("shown").value = Object.entries(said.shown).map(([name, digest]) => `${name}=${digest}`).join(" ");
  element("signing").disabled = false;
  element("sign-state").textContent = element("sign-state").dataset.ready;
}

function connectControls() {
  for (const name of ["window", "level", "line", "map"]) {
    const share = name === "line" || name === "map" ? 100 : 1;
    element(name).addEventListener("input", (event) => viewer.set(name, Number(event.target.value) / share));
  }
  element("second").addEventListener("change", (event) => viewer.set("second", event.target.checked));
  element("zoom-in").addEventListener("click", () => viewer.zoom(1.25));
  element("zoom-out").addEventListener("click", () => viewer.zoom(0.8));
  element("reset").addEventListener("click", () => { viewer.reset(); viewer.set("window", 255); viewer.set("level", 128); });
  const maps = document.querySelectorAll("button.map");
  maps.forEach((button) => button.addEventListener("click", async () => {
    const on = button.getAttribute("aria-pressed") === "true";
    maps.forEach((other) => other.setAttribute("aria-pressed", "false"));
    button.setAttribute("aria-pressed", String(!on));
    viewer.map = on ? null : (await fetchLayer(record, button.dataset.layer)).picture;
    viewer.draw();
  }));
}

function connectSigning() {
  const reason = element("why-signed");
  for (const choice of document.querySelectorAll("input[name=meaning]")) {
    choice.addEventListener("change", () => { reason.required = "reason" in choice.dataset; });
  }
}

async function start() {
  const { rows, columns, needed } = article.dataset;
  const names = needed.split(" ");
  if (rows && document.querySelector(".legend .second")) names.push("runner-up");
  if (rows) {
    viewer = new Viewer(element("canvas"), Number(rows), Number(columns), choosePixel);
    connectControls();
  }
  if (element("sign")) connectSigning();
  if (!rows && names.includes("image")) names.splice(0, names.length, "record.txt");
  const shown = {};
  for (const layer of await Promise.all(names.map((name) => fetchLayer(record, name)))) {
    if (layer.text === undefined) viewer.add(layer);
    else element("record").textContent = layer.text;
    shown[layer.name] = layer.digest;
  }
  // Drawn means painted: the browser has had two frames for it.
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const said = await report(shown);
  if (drawn) drawn.textContent = Object.entries(shown).map(([name, digest]) => `${name} ${digest.slice(0, 12)}…`).join(" · ");
  article.dataset.displayed = "yes";
  allowSigning(said);
}

start().catch((error) => {
  if (drawn) drawn.textContent = error.message;
  const state = element("sign-state");
  if (state) state.textContent = `${state.dataset.failed} ${error.message}`;
  const stage = element("stage");
  if (stage) stage.hidden = true;
});
