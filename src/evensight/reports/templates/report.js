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
    const showExamples = (row, col) => map.closest(".set").querySelector("[data-examples]").showCell(row, col);
    map.addEventListener("dblclick", (event) => {
      const row = rows.findIndex((of) => of.includes(target(event)));
      if (row >= 0) showExamples(row, rows[row].indexOf(target(event)));
    });
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
      else if (event.key === "Enter") {
        event.preventDefault();
        showExamples(r, c);
      }
      if (next) {
        event.preventDefault();
        focus(next);
      }
    });
  };

  const svg = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const outcomes = ["correct", "wrong", "invalid"];
  const marks = { correct: "✓", wrong: "✗", invalid: "?", absent: "–" };

  // A browser holds only the cards that can be seen, however many examples there are.
  const setUpExamples = (group) => {
    const data = JSON.parse(document.querySelector(`script[data-browsed="${group.dataset.examples}"]`).textContent);
    const control = (name) => group.querySelector(`[data-filter="${name}"]`);
    const view = group.querySelector(".browser");
    const uris = all(".cards .card img", group).map((image) => image.src);
    const names = [...control("condition").options].slice(1).map((option) => option.textContent);
    const [rows, cols] = data.grid;
    const text = (k) => data.strings[k];
    const attributes = Object.entries(data.attributes);
    const values = [];
    for (const [name, column] of attributes) {
      const levels = [...new Set(column)];
      if (levels.length < 2 || levels.length > 60) continue;
      const section = make("optgroup", "", "");
      section.label = name;
      for (const level of levels.sort((a, b) => (text(a) < text(b) ? -1 : 1))) {
        const option = make("option", "", `${name}: ${text(level)}`);
        option.value = values.push([column, level]);
        section.append(option);
      }
      control("attribute").append(section);
    }
    if (values.length === 0) control("attribute").parentElement.hidden = true;

    const fits = () => {
      const [outcome, condition, area, row, col] = ["outcome", "condition", "area", "row", "col"].map((name) => control(name).value);
      const attribute = values[control("attribute").value - 1];
      const pictured = control("pictured").checked;
      const asked = condition === "" ? data.said : [data.said[condition]];
      const outcomeOf = (said, k) => (said[k] ? outcomes[said[k][1]] : "absent");
      const found = [];
      for (let k = 0; k < data.id.length; k += 1) {
        if (area && text(data.area[k]) !== area) continue;
        if (row && data.row[k] !== Number(row)) continue;
        if (col && data.col[k] !== Number(col)) continue;
        if (attribute && attribute[0][k] !== attribute[1]) continue;
        if (pictured && data.picture[k] === null) continue;
        if (outcome === "differs") {
          if (new Set(data.said.map((said) => outcomeOf(said, k))).size < 2) continue;
        } else if (outcome && !asked.some((said) => outcomeOf(said, k) === outcome)) continue;
        found.push(k);
      }
      return found;
    };

    const rect = (kind, [x, y, width, height]) => svg("rect", { class: kind, x, y, width, height });
    const drawing = (k) => {
      const height = 1000 / data.aspect[k];
      const lines = (downs, acrosses) =>
        downs.map((c) => `M${(1000 * c) / cols} 0V${height}`).join("") + acrosses.map((r) => `M0 ${(height * r) / rows}H1000`).join("");
      const upTo = (n) => Array.from({ length: n - 1 }, (_, i) => i + 1);
      const cell = [(1000 * data.col[k]) / cols, (height * data.row[k]) / rows, 1000 / cols, height / rows];
      const [x, y, w, h] = data.box[k];
      const scale = height / 1000;
      return svg(
        "svg", { class: "overlay", viewBox: `0 0 1000 ${height}`, "aria-hidden": "true" },
        svg("path", { class: "line-cell", d: lines(upTo(cols), upTo(rows)) }),
        svg("path", { class: "line-area", d: lines(data.firsts[1].slice(1), data.firsts[0].slice(1)) }),
        rect("halo", cell), rect("target", cell), rect("box", [x, y * scale, w, h * scale]),
      );
    };

    const card = (k, place, n) => {
      const element = make("article", "card", "");
      element.setAttribute("role", "listitem");
      element.setAttribute("aria-setsize", n);
      element.setAttribute("aria-posinset", place + 1);
      element.dataset.id = data.id[k];
      const picture = make("div", "picture", "");
      if (data.picture[k] === null) picture.append(make("span", "no-picture", "picture not kept"));
      else {
        const image = make("img", "", "");
        image.src = uris[data.picture[k]];
        image.alt = `The picture of ${data.id[k]}`;
        picture.append(image);
      }
      picture.append(drawing(k));
      const about = make("div", "card-text", "");
      about.append(make("p", "asked", text(data.question[k])));
      const right = make("p", "right", "");
      right.append(make("b", "", text(data.answer[k])), make("span", "muted small", `row ${data.row[k]}, column ${data.col[k]}`));
      about.append(right);
      const answers = make("ul", "answers", "");
      data.said.forEach((said, c) => {
        const outcome = said[k] ? outcomes[said[k][1]] : "absent";
        const line = make("li", outcome, "");
        line.dataset.outcome = outcome;
        line.dataset.condition = c;
        const words = said[k] ? text(said[k][0]) || "empty" : "not asked";
        const bdi = make("bdi", "", words);
        const saidBox = make("span", "said", "");
        saidBox.append(bdi, make("span", "vh", ` (${outcome})`));
        line.append(make("span", "mark", marks[outcome]), make("span", "who", names[c]), saidBox);
        answers.append(line);
      });
      about.append(answers);
      const told = attributes.map(([name, column]) => `${name} ${text(column[k])}`).join(", ");
      about.append(make("p", "told muted small", `${told ? `${told} · ` : ""}${data.id[k]}`));
      element.append(picture, about);
      return element;
    };

    let found = [];
    let layout = "";
    const spacer = make("div", "spacer", "");
    const there = new Map();
    const gap = 16;
    const shape = () => {
      const wanted = view.clientWidth < 420 ? 150 : 205;
      const across = Math.max(1, Math.floor((view.clientWidth - gap) / (wanted + gap)));
      const width = (view.clientWidth - gap * (across + 1)) / across;
      return { across, width, height: width + 130 + 34 * data.said.length };
    };
    const clear = () => {
      there.clear();
      spacer.replaceChildren();
      layout = "";
    };
    const draw = () => {
      const { across, width, height } = shape();
      const step = height + gap;
      if (layout !== `${across} ${Math.round(width)}`) {
        clear();
        layout = `${across} ${Math.round(width)}`;
        spacer.style.height = `${Math.ceil(found.length / across) * step + gap}px`;
      }
      const first = across * Math.max(0, Math.floor(view.scrollTop / step) - 1);
      const last = across * Math.ceil((view.scrollTop + view.clientHeight) / step + 1);
      for (const [place, element] of there) {
        if (place >= first && place < last) continue;
        element.remove();
        there.delete(place);
      }
      found.slice(first, last).forEach((k, i) => {
        const place = first + i;
        if (there.has(place)) return;
        const element = card(k, place, found.length);
        element.style.width = `${width}px`;
        element.style.height = `${height}px`;
        element.style.left = `${gap + (place % across) * (width + gap)}px`;
        element.style.top = `${gap + Math.floor(place / across) * step}px`;
        there.set(place, element);
        spacer.append(element);
      });
    };
    const update = () => {
      found = fits();
      clear();
      view.scrollTop = 0;
      group.classList.toggle("unmarked", !control("overlay").checked);
      const some = data.n > data.id.length ? ` (of ${data.n.toLocaleString("en")} questions)` : "";
      group.querySelector("output").textContent =
        `${found.length.toLocaleString("en")} of ${data.id.length.toLocaleString("en")} shown${some}`;
      draw();
    };
    view.append(spacer);
    view.hidden = false;
    group.classList.add("browsed");
    let waits = false;
    const soon = () => {
      if (waits) return;
      waits = true;
      requestAnimationFrame(() => {
        waits = false;
        draw();
      });
    };
    view.addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(soon).observe(view);
    group.querySelector("form").addEventListener("change", update);
    group.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    update();
    group.showCell = (row, col) => {
      for (const name of ["outcome", "condition", "area", "attribute"]) control(name).value = "";
      control("pictured").checked = false;
      control("row").value = row;
      control("col").value = col;
      update();
      group.scrollIntoView();
      view.focus({ preventScroll: true });
    };
  };

  all("[data-maps]").forEach((group) => all(".heatmap", group).forEach((map) => setUpMap(group, map)));
  all("[data-examples]").forEach(setUpExamples);
  for (const moved of ["scroll", "resize"]) addEventListener(moved, () => current && placeTip(current), { passive: true });
  addEventListener("beforeprint", () => all("details.run, .tall").forEach((part) => {
    const details = part.closest("details");
    if (details) details.open = true;
  }));
})();
