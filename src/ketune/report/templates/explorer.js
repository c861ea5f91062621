// Sliders over the settings of an explorer. Each section carries its numbers as JSON (report/_explorer.py):
// lists over doses and then times, "local" as little-endian 16-bit shares of 65535 by compartment, base64.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 320, HEIGHT = 300, LEFT = 46, RIGHT = 308, TOP = 30, BOTTOM = 252;
  const COLOURS = 64, NEAR = 18;

  const QUANTITIES = [
    ["peak_rate_hz", "peak rate (fitted curve)", " Hz"], ["orthogonal_rate_hz", "orthogonal rate", " Hz"],
    ["spontaneous_rate_hz", "spontaneous rate", " Hz"], ["osi", "orientation selectivity (OSI)", ""],
    ["gosi", "global selectivity (gOSI)", ""], ["hwhm_deg", "half width at half height", "°"],
    ["preferred_shift_deg", "move of the preferred orientation", "°"], ["fano", "Fano factor", ""],
  ];

  const number = (x, digits = 3) => {
    if (x === null || x === undefined) return "not available";
    const text = x !== 0 && Math.abs(x) < 1e-3 ? x.toExponential(1) : String(Number(x.toPrecision(digits)));
    return text.replace("-", "−");
  };
  const decimal = (x, places) => x.toFixed(places).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
  const percent = (share) => `${number(100 * share, 2)} %`;

  const add = (parent, name, attributes = {}, text = "") => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    parent.append(made);
    return made;
  };
  const move = (element, attributes) => {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  };
  const colour = (share) => `var(--b${Math.min(COLOURS - 1, Math.max(0, Math.round(share * (COLOURS - 1))))})`;

  const ticks = (low, high, most = 5) => {
    const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
    const found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) found.push(v);
    return found;
  };

  const sideLabel = (svg, text) => {
    const middle = (TOP + BOTTOM) / 2;
    add(svg, "text", { x: 9, y: middle, "text-anchor": "middle", transform: `rotate(-90 9 ${middle})` }, text);
  };

  // Axes with ticks and labels; gives the places of values.
  const axes = (svg, x, y) => {
    const at = {
      x: (v) => LEFT + (RIGHT - LEFT) * (v - x.low) / (x.high - x.low),
      y: (v) => BOTTOM - (BOTTOM - TOP) * (v - y.low) / (y.high - y.low),
    };
    for (const v of y.ticks) {
      add(svg, "path", { class: "grid", d: `M${LEFT} ${at.y(v)}H${RIGHT}` });
      add(svg, "text", { class: "ytick", x: LEFT - 6, y: at.y(v) + 4, "text-anchor": "end" }, number(v));
    }
    for (const v of x.ticks) {
      add(svg, "path", { class: "axis", d: `M${at.x(v)} ${BOTTOM}v5` });
      add(svg, "text", { x: at.x(v), y: BOTTOM + 18, "text-anchor": "middle" }, number(v));
    }
    add(svg, "path", { class: "axis", d: `M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}` });
    add(svg, "text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, x.label);
    sideLabel(svg, y.label);
    return at;
  };

  const bar = (svg, left, right, top) => {
    const width = (right - left) / COLOURS;
    for (let i = 0; i < COLOURS; i++) {
      add(svg, "rect", { x: left + i * width, y: top, width: width + 0.5, height: 7 }).style.fill = `var(--b${i})`;
    }
  };

  // Tuning: before and under the drug. An orientation comes back after 180 degrees, a direction after 360.
  const tuningPanel = (svg, data) => {
    const theta = data.orientation, k = theta.length, low = Math.min(...theta);
    const turn = Math.max(...theta) - low >= 180 ? 360 : 180;
    const order = [...theta.keys()].sort((a, b) => theta[a] - theta[b]);
    const rates = data.routes.flatMap((one) => one.rate.flat(2));
    const high = 1.06 * Math.max(1e-9, ...data.control.rate, rates.reduce((a, b) => Math.max(a, b), 0));
    const xTicks = ticks(low, low + turn, 4).length > 3 && low === 0
      ? [0, 0.25, 0.5, 0.75, 1].map((share) => share * turn) : ticks(low, low + turn, 4);
    const at = axes(
      svg,
      { low, high: low + turn, ticks: xTicks, label: turn === 180 ? "orientation (°)" : "direction (°)" },
      { low: 0, high, ticks: ticks(0, high), label: "mean rate (Hz)" },
    );
    const line = (rate) => [...order.map((i) => [theta[i], rate[i]]), [low + turn, rate[order[0]]]]
      .map(([x, y]) => `${at.x(x)},${at.y(y)}`).join(" ");
    add(svg, "polyline", { class: "control", points: line(data.control.rate) });
    data.control.rate.forEach((r, i) => add(svg, "circle", { class: "control", cx: at.x(theta[i]), cy: at.y(r), r: 3.5 }));
    const drugged = add(svg, "polyline", { class: "drug" });
    const spread = theta.map(() => add(svg, "path", { class: "drug" }));
    const marks = theta.map((t, i) => add(svg, "rect", { class: "drug", "data-index": i, width: 7, height: 7 }));
    add(svg, "path", { class: "control", d: `M${LEFT} 12h24` });
    add(svg, "text", { x: LEFT + 30, y: 16 }, "before");
    add(svg, "path", { class: "drug", d: `M${LEFT + 90} 12h24` });
    add(svg, "rect", { class: "drug", x: LEFT + 98.5, y: 8.5, width: 7, height: 7 });
    add(svg, "text", { x: LEFT + 120, y: 16 }, data.drug);
    return (now) => {
      drugged.setAttribute("points", line(now.rate));
      const spots = [];
      for (let i = 0; i < k; i++) {
        const x = at.x(theta[i]), y = at.y(now.rate[i]);
        move(marks[i], { x: x - 3.5, y: y - 3.5 });
        const top = at.y(Math.min(high, now.rate[i] + now.sd[i])), end = at.y(Math.max(0, now.rate[i] - now.sd[i]));
        move(spread[i], { d: `M${x} ${top}V${end}` });
        const under = `${theta[i]}°: ${number(now.rate[i])} ± ${number(now.sd[i], 2)} Hz`;
        spots.push({ x, y, text: `${under}, before ${number(data.control.rate[i])} Hz` });
        spots.push({ x, y: at.y(data.control.rate[i]), text: `${theta[i]}°: before ${number(data.control.rate[i])} Hz` });
      }
      return spots;
    };
  };

  // Both depth panels have one depth axis; the neuron's picture is as wide as it is deep.
  const depthAxis = (tree) => {
    const low = Math.min(0, ...tree.depth) - 12, across = Math.max(...tree.x) - Math.min(...tree.x) + 24;
    const perUm = Math.min((BOTTOM - TOP) / (Math.max(...tree.depth) + 12 - low), (RIGHT - LEFT) / across);
    const high = low + (BOTTOM - TOP) / perUm;
    return { low: high, high: low, ticks: ticks(Math.max(low, 0), high), label: "depth below the pia (µm)", perUm };
  };
  const isAxon = (region) => region === "ais" || region === "axon";
  const about = (tree, i, share) =>
    `${tree.region[i]}, ${number(tree.depth[i])} µm deep: ${isAxon(tree.region[i]) ? "no NMDA receptors" : percent(share)}`;

  const profilePanel = (svg, data) => {
    const tree = data.tree, depth = depthAxis(tree), n = tree.x.length;
    const at = axes(
      svg, { low: 0, high: 100, ticks: [0, 25, 50, 75, 100], label: "NMDA conductance blocked (%)" }, depth,
    );
    add(svg, "path", { class: "pia", d: `M${LEFT} ${at.y(0)}H${RIGHT}` });
    add(svg, "text", { x: RIGHT, y: at.y(0) - 4, "text-anchor": "end" }, "pia");
    const dots = [];
    for (let i = n - 1; i >= 0; i--) { // the soma comes first, and is drawn last
      if (isAxon(tree.region[i])) continue;
      const soma = tree.region[i] === "soma";
      const dot = add(svg, "circle", { cy: at.y(tree.depth[i]), r: soma ? 5 : 2.8, class: soma ? "soma" : "dot" });
      dots.push([i, dot]);
    }
    return (now) => dots.map(([i, dot]) => {
      const x = at.x(100 * now.local[i]), y = at.y(tree.depth[i]);
      dot.setAttribute("cx", x);
      dot.style.fill = colour(now.local[i]);
      return { x, y, compartment: i, text: `${about(tree, i, now.local[i])} blocked` };
    });
  };

  const dendritePanel = (svg, data) => {
    const tree = data.tree, depth = depthAxis(tree), n = tree.x.length;
    const middle = (Math.max(...tree.x) + Math.min(...tree.x)) / 2;
    const place = (i) => [
      (LEFT + RIGHT) / 2 + depth.perUm * (tree.x[i] - middle), TOP + depth.perUm * (tree.depth[i] - depth.high),
    ];
    const pia = TOP - depth.perUm * depth.high;
    for (const v of depth.ticks) {
      const y = pia + depth.perUm * v;
      add(svg, "path", { class: "axis", d: `M${LEFT - 5} ${y}h5` });
      add(svg, "text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, number(v));
    }
    add(svg, "path", { class: "axis", d: `M${LEFT} ${TOP}V${BOTTOM}` });
    sideLabel(svg, depth.label);
    add(svg, "path", { class: "pia", d: `M${LEFT} ${pia}H${RIGHT}` });
    add(svg, "text", { x: RIGHT, y: pia - 4, "text-anchor": "end" }, "pia");
    const lines = [], casing = [];
    for (let i = 0; i < n; i++) {
      if (tree.parent[i] < 0) continue;
      const [x, y] = place(i), [a, b] = place(tree.parent[i]);
      const d = `M${a} ${b}L${x} ${y}`, width = 0.8 + 0.75 * tree.diam[i];
      casing.push([d, width + 1.4]);
      lines.push([i, d, width]);
    }
    for (const [d, width] of casing) add(svg, "path", { class: "casing", d, "stroke-width": width });
    const branches = lines.filter(([i]) => !isAxon(tree.region[i]))
      .map(([i, d, width]) => [i, add(svg, "path", { class: "branch", d, "stroke-width": width })]);
    const [x0, y0] = place(0);
    const soma = add(svg, "circle", { class: "soma", cx: x0, cy: y0, r: Math.max(5, depth.perUm * tree.diam[0] / 2) });
    bar(svg, LEFT + 30, RIGHT - 40, BOTTOM + 12);
    add(svg, "text", { x: LEFT + 24, y: BOTTOM + 20, "text-anchor": "end" }, "0 %");
    add(svg, "text", { x: RIGHT - 34, y: BOTTOM + 20 }, "100 %");
    add(svg, "text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, "NMDA conductance blocked");
    return (now) => {
      for (const [i, branch] of branches) branch.style.stroke = colour(now.local[i]);
      soma.style.fill = colour(now.local[0]);
      return tree.x.map((_, i) => {
        const [x, y] = place(i);
        return { x, y, compartment: i, text: `${about(tree, i, now.local[i])}${isAxon(tree.region[i]) ? "" : " blocked"}` };
      });
    };
  };

  const rows = (table, content) => table.tBodies[0].replaceChildren(...content.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((text, i) => {
      const cell = document.createElement(i ? "td" : "th");
      if (!i) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  }));

  const inWords = (data, route, dose, time, now) => {
    const local = now.local.filter((_, i) => !isAxon(data.tree.region[i]));
    const ends = [Math.min(...local), Math.max(...local)].map(percent);
    const range = ends[0] === ends[1] ? ends[0] : `${ends[0]} to ${ends[1]}`;
    const q = now.quantities, before = data.control;
    const drug = data.drug[0].toUpperCase() + data.drug.slice(1);
    const shift = q.preferred_shift_deg === null
      ? "" : `, preferred orientation moved by ${decimal(q.preferred_shift_deg, 1)}°`;
    const osi = q.osi === null ? "" : `, OSI ${decimal(q.osi, 2)} (before ${before.osi === null ? "not available" : decimal(before.osi, 2)})`;
    const atPeak = data.peakError === null ? "" : `, ${number(data.peakError, 2)} Hz at the peak`;
    const peak = Math.max(...now.rate), own = Math.max(...before.rate);
    const same = data.times.length > 1 && route.concentration[dose].slice(1).every((c) => c === route.concentration[dose][1])
      && data.times[0] === 0 ? " (the same at every time after 0)" : "";
    return `${drug}, ${route.name}, ${route.doses[dose]}, ${number(data.times[time])} min after application: `
      + `${number(now.concentration)} µM free at the soma${same}; ${percent(now.block)} of NMDA conductance blocked over `
      + `the excitatory synapses (${range} along the dendrites); `
      + `PV cells at ${percent(now.pv)} and SST cells at ${percent(now.sst)} of their rate. `
      + `Best mean rate ${number(peak)} Hz (before ${number(own)} Hz)${osi}${shift}. `
      + `Emulator’s error on runs that it had not seen: ${number(data.error * own, 2)} Hz over all orientations${atPeak}.`;
  };

  const start = (section) => {
    const data = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
    const find = (selector) => section.querySelector(selector);
    const form = find("form"), tip = find(".tip"), fieldset = find("fieldset");
    const { dose, time } = form.elements, n = data.tree.x.length;
    for (const route of data.routes) {
      const bytes = Uint8Array.from(atob(route.local), (c) => c.charCodeAt(0));
      route.shares = new Uint16Array(bytes.buffer);
    }
    data.routes.forEach((route, i) => {
      const label = document.createElement("label"), choice = document.createElement("input");
      Object.assign(choice, { type: "radio", name: "route", value: i });
      label.append(choice, `${route.name}`);
      fieldset.append(label);
    });
    time.max = data.times.length - 1;
    const panels = [["svg.tuning", tuningPanel], ["svg.profile", profilePanel], ["svg.dendrites", dendritePanel]]
      .map(([selector, panel]) => {
        const svg = find(selector);
        return { svg, update: panel(svg, data), halo: add(svg, "circle", { class: "halo", r: 7, visibility: "hidden" }) };
      });

    const hide = () => {
      tip.hidden = true;
      for (const panel of panels) panel.halo.setAttribute("visibility", "hidden");
    };
    const draw = () => {
      const route = data.routes[form.elements.route.value], d = Number(dose.value), t = Number(time.value);
      const first = (d * data.times.length + t) * n;
      const now = {
        rate: route.rate[d][t], sd: route.sd[d][t], block: route.block[d][t], pv: route.pv[d][t], sst: route.sst[d][t],
        concentration: route.concentration[d][t], local: Array.from(route.shares.subarray(first, first + n), (v) => v / 65535),
        quantities: Object.fromEntries(QUANTITIES.map(([name]) => [name, route.quantities[name][d][t]])),
      };
      for (const panel of panels) panel.spots = panel.update(now);
      hide();
      const minutes = `${number(data.times[t])} min`;
      find("output.dose").textContent = route.doses[d];
      find("output.time").textContent = minutes;
      dose.setAttribute("aria-valuetext", route.doses[d]);
      time.setAttribute("aria-valuetext", minutes);
      find(".now").textContent = inWords(data, route, d, t, now);
      find(".remarks").replaceChildren(...route.remarks[d][t].map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }));
      rows(find("table.rates"), data.orientation.map((theta, i) =>
        [`${theta}°`, number(data.control.rate[i]), number(now.rate[i], 4), number(now.sd[i], 2)]));
      rows(find("table.quantities"), QUANTITIES.map(([name, words, unit]) =>
        [words, ...[data.control[name], now.quantities[name]].map((v) => number(v) + (v === null ? "" : unit))]));
    };
    const choose = (index) => {
      const route = data.routes[index];
      form.elements.route.value = String(index);
      dose.max = route.doses.length - 1;
      dose.value = route.start;
    };
    const reset = () => {
      choose(0);
      time.value = data.start;
      draw();
    };

    for (const panel of panels) {
      const point = (event) => {
        const box = panel.svg.getBoundingClientRect(), scale = WIDTH / box.width;
        const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
        let best = null, least = NEAR;
        for (const spot of panel.spots) {
          const away = Math.hypot(spot.x - x, spot.y - y);
          if (away < least) [best, least] = [spot, away];
        }
        hide();
        if (!best) return;
        // The same compartment in the other panel too.
        for (const other of panels) {
          const spot = other === panel ? best
            : best.compartment !== undefined && other.spots.find((s) => s.compartment === best.compartment);
          if (spot) move(other.halo, { cx: spot.x, cy: spot.y, visibility: "visible" });
        }
        tip.textContent = best.text;
        tip.hidden = false;
        const frame = section.getBoundingClientRect(), room = frame.width - tip.offsetWidth;
        tip.style.left = `${Math.max(0, Math.min(room, event.clientX - frame.left + 12))}px`;
        tip.style.top = `${event.clientY - frame.top + 16}px`;
      };
      panel.svg.addEventListener("pointermove", point);
      panel.svg.addEventListener("pointerdown", point); // a tap moves nothing
      panel.svg.addEventListener("pointerleave", hide);
    }
    form.addEventListener("input", (event) => {
      if (event.target.name === "route") choose(Number(event.target.value));
      draw();
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      reset();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    find(".live").hidden = false;
    reset();
  };

  document.querySelectorAll(".explorer").forEach(start);
})();
