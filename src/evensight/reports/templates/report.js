"use strict";
// Comfort only: without this script everything is shown, and the maps keep their native titles.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  };
  document.documentElement.classList.add("has-js");

  const tip = document.getElementById("tip");
  let current = null;

  const placeTip = (cell) => {
    const box = cell.getBoundingClientRect();
    const width = tip.offsetWidth;
    const height = tip.offsetHeight;
    const left = Math.min(Math.max(8, box.left + box.width / 2 - width / 2), document.documentElement.clientWidth - width - 8);
    const above = box.top - height - 10;
    tip.style.left = `${left}px`;
    tip.style.top = `${above < 8 ? box.bottom + 10 : above}px`;
  };

  const hideTip = (group) => {
    current = null;
    tip.hidden = true;
    all(".cell.marked", group).forEach((cell) => cell.classList.remove("marked"));
  };

  const showTip = (group, cell) => {
    hideTip(group);
    tip.replaceChildren(make("p", "tip-where", cell.dataset.where));
    for (const map of all(".heatmap", group)) {
      const twin = all(".cell", map).find((other) => other.dataset.where === cell.dataset.where);
      if (!twin) continue;
      twin.classList.add("marked");
      const line = make("p", twin === cell ? "tip-line tip-this" : "tip-line", "");
      line.append(make("b", "", map.dataset.title), make("span", "", twin.dataset.value));
      tip.append(line);
    }
    tip.hidden = false;
    current = cell;
    placeTip(cell);
  };

  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  const setUpMap = (group, map) => {
    const rows = all('[role="row"]', map).map((row) => all(".cell", row));
    const flat = rows.flat();
    all("title", map).forEach((title) => title.remove());
    const focus = (cell) => {
      flat.forEach((other) => other.setAttribute("tabindex", other === cell ? "0" : "-1"));
      cell.focus();
    };
    const target = (event) => event.target.closest?.(".cell");
    map.addEventListener("pointerover", (event) => target(event) && showTip(group, target(event)));
    map.addEventListener("pointerleave", () => hideTip(group));
    map.addEventListener("click", (event) => target(event) && focus(target(event)));
    // On the figure: Chromium makes an svg that listens for focus a tab stop of its own.
    map.parentElement.addEventListener("focusin", (event) => target(event) && showTip(group, target(event)));
    map.parentElement.addEventListener("focusout", () => hideTip(group));
    map.addEventListener("keydown", (event) => {
      const cell = target(event);
      if (!cell) return;
      const r = rows.findIndex((row) => row.includes(cell));
      const c = rows[r].indexOf(cell);
      const bounded = (k, n) => Math.min(Math.max(k, 0), n - 1);
      let next = null;
      if (event.key in steps) {
        const [down, right] = steps[event.key];
        next = rows[bounded(r + down, rows.length)][bounded(c + right, rows[r].length)];
      } else if (event.key === "Home") next = event.ctrlKey ? flat[0] : rows[r][0];
      else if (event.key === "End") next = event.ctrlKey ? flat.at(-1) : rows[r].at(-1);
      else if (event.key === "Escape") hideTip(group);
      if (next) {
        event.preventDefault();
        focus(next);
      }
    });
  };

  const setUpExamples = (group) => {
    const control = (name) => group.querySelector(`[data-filter="${name}"]`);
    const cards = all(".card", group);
    const update = () => {
      const [outcome, condition, area] = ["outcome", "condition", "area"].map((name) => control(name).value);
      const fits = (answer) =>
        (!outcome || answer.dataset.outcome === outcome) && (!condition || answer.dataset.condition === condition);
      for (const card of cards) {
        card.hidden = !((!area || card.dataset.area === area) && all(".answers li", card).some(fits));
      }
      group.classList.toggle("unmarked", !control("overlay").checked);
      const shown = cards.filter((card) => !card.hidden).length;
      group.querySelector("output").textContent = `${shown} of ${cards.length} shown`;
    };
    group.querySelector("form").addEventListener("change", update);
    group.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    update();
  };

  all("[data-maps]").forEach((group) => all(".heatmap", group).forEach((map) => setUpMap(group, map)));
  all("[data-examples]").forEach(setUpExamples);
  for (const moved of ["scroll", "resize"]) addEventListener(moved, () => current && placeTip(current), { passive: true });
  addEventListener("beforeprint", () => all("details.run, .tall").forEach((part) => {
    const details = part.closest("details");
    if (details) details.open = true;
  }));
})();
