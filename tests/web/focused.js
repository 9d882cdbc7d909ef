// SPDX-License-Identifier: Apache-2.0
// What the Tab key has come to, whether its focus is seen (2.4.7, 2.4.11), and how high it is (2.5.8).
() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const said = node.id || node.name || node.textContent.trim().slice(0, 30) || node.tagName;
  return { said, seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, high: box.height, tag: node.tagName };
}
