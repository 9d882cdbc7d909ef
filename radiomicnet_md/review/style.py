# SPDX-License-Identifier: Apache-2.0
"""The one style sheet of the report: dark on light, readable on paper, no font or picture from elsewhere."""

from __future__ import annotations

CSS = """
:root { color-scheme: light; --ink: #1b1f24; --muted: #5d6670; --rule: #d5dae0; --paper: #ffffff; --wash: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 0 1.5rem 4rem; }
.banner { margin: 0; padding: .7rem max(1.5rem, calc(50% - 32.5rem));
  background: #fff3d6; border-bottom: 3px solid #b36b00; color: #4a2c00; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 2rem 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .6rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 0; }
.small, figcaption, .stamps { color: var(--muted); font-size: .875rem; }
.stamps { margin: .1rem 0 .6rem; }
.figures { list-style: none; display: grid; grid-template-columns: repeat(4, 1fr); gap: 1rem;
  padding: 0; margin: 1.2rem 0; }
.figures li { background: var(--wash); border: 1px solid var(--rule); border-radius: 6px; padding: .6rem 1rem; }
.figures b { display: block; font-size: 1.7rem; line-height: 1.2; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem .45rem 0; border-bottom: 1px solid var(--rule); }
thead th { color: var(--muted); font-weight: 600; font-size: .875rem; }
tbody th { font-weight: 600; }
.claims tbody th { width: 11rem; }
.claims tbody td:first-child { width: 5rem; }
.claims th + td pre { margin: .3rem 0 0; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.badge { display: inline-block; padding: 0 .5em; border: 1px solid; border-radius: 4px; font-size: .78rem;
  font-weight: 700; line-height: 1.6; white-space: nowrap; vertical-align: middle; }
.good { color: #0b5c33; background: #e7f5ec; } .held { color: #7a4a00; background: #fff3d6; }
.bad { color: #8f1420; background: #fdeaea; }
article { border: 1px solid var(--rule); border-radius: 6px; padding: 1rem 1.2rem; margin: 1.2rem 0; }
dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: .2rem .8rem; margin: 0; font-size: .9375rem; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .875em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { background: var(--wash); border: 1px solid var(--rule); border-radius: 6px; padding: .5rem .8rem;
  white-space: pre-wrap; }
.beside { display: grid; grid-template-columns: 5fr 6fr; gap: 1.5rem; align-items: start; }
figure { margin: 0; } .beside ~ figure { margin-top: 1rem; } img { width: 100%; height: auto; display: block;
  border: 1px solid var(--rule); }
a { color: #0b4f9e; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 44rem) {
  .beside { grid-template-columns: 1fr; } .figures { grid-template-columns: 1fr 1fr; } .wide { display: none; } }
@media print {
  body { font-size: 11pt; } figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  main { max-width: none; } a { color: inherit; } }
"""
