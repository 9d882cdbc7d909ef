// SPDX-License-Identifier: Apache-2.0
// Names, structure and order that assistive technology goes by (WCAG 2.2: 1.1.1, 1.3.1, 2.4.2, 3.1.1, 4.1.2).
() => {
  const wrong = [];
  const name = (node) => (node.getAttribute("aria-label") || (node.labels && node.labels.length && node.labels[0].textContent)
    || node.textContent || node.getAttribute("alt") || "").trim();
  for (const node of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary, [role=application], [role=img]"))
    if (!name(node)) wrong.push(`no name: ${node.outerHTML.slice(0, 80)}`);
  for (const node of document.querySelectorAll("img:not([alt])")) wrong.push(`no alt: ${node.src}`);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`id twice: ${id}`);
  for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const attribute of ["aria-labelledby", "aria-describedby"])
      if (node.hasAttribute(attribute) && !document.getElementById(node.getAttribute(attribute))) wrong.push(`points nowhere: ${node.outerHTML.slice(0, 80)}`);
  const heads = [...document.querySelectorAll("h1, h2, h3")].map((node) => Number(node.tagName[1]));
  if (heads.filter((level) => level === 1).length !== 1) wrong.push("not one h1");
  heads.forEach((level, at) => { if (at && level > heads[at - 1] + 1) wrong.push(`h${level} after h${heads[at - 1]}`); });
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption) wrong.push("a table without a caption");
    for (const head of table.querySelectorAll("th")) if (!head.scope) wrong.push(`a head without scope: ${head.textContent}`);
  }
  for (const label of document.querySelectorAll("label")) if (!label.control) wrong.push(`a label of nothing: ${label.textContent}`);
  if (!document.documentElement.lang || !document.title) wrong.push("no language or title");
  if (!document.querySelector("main")) wrong.push("no main");
  if (document.querySelector("[tabindex]:not([tabindex='0']):not([tabindex='-1'])")) wrong.push("an order of its own");
  if (document.documentElement.scrollWidth > window.innerWidth + 1) wrong.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  return wrong;
}
