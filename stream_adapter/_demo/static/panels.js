// Twelve panels: four kinds of streams from three frameworks, read as they come.

import { $, announce, blocks, get, stamp } from "./page.js";
import { isShared, originOf } from "./server.js";

const FRAMEWORKS = { flask: "Flask", django: "Django", fastapi: "FastAPI" };

// `show` prepares a view; what it returns reads one stream into it, and is over when that is.
const KINDS = {
  text: {
    title: "Text",
    unit: "chunks",
    show(view) {
      const prose = $(".prose", view);
      return async (panel) => {
        prose.textContent = "";
        const decoder = new TextDecoder();
        for await (const block of blocks(await get(panel.url, panel.signal))) {
          panel.advance();
          prose.append(decoder.decode(block, { stream: true }));
          view.scrollTop = view.scrollHeight;
        }
      };
    },
  },

  events: {
    title: "Events",
    unit: "events",
    firstOf: "first event", // an EventSource tells of no byte before it
    show(view) {
      const chart = new Chart($(".chart", view));
      const value = $(".value", view);
      return (panel) => {
        chart.clear();
        value.textContent = "–";
        const source = new EventSource(panel.url);
        panel.signal.addEventListener("abort", () => source.close());
        source.onmessage = ({ data }) => {
          const tick = JSON.parse(data);
          panel.advance();
          value.textContent = tick.value.toFixed(2);
          chart.add(tick.value);
        };
        return new Promise((_, reject) => {
          source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) reject(new Error("closed"));
            else panel.become("connecting"); // it reconnects by itself
          };
        });
      };
    },
  },

  csv: {
    title: "CSV",
    unit: "chunks",
    show(view) {
      const [head, body] = [$("thead tr", view), $("tbody", view)];
      const [bar, caption] = [$("progress", view), $(".caption", view)];
      return async (panel) => {
        head.replaceChildren();
        body.replaceChildren();
        bar.value = 0;
        caption.textContent = "–";
        const response = await get(panel.url, panel.signal);
        const total = Number(response.headers.get("X-Total-Rows"));
        const decoder = new TextDecoder();
        let rest = "";
        let rows = -1; // the first line names the columns
        for await (const block of blocks(response)) {
          panel.advance();
          const lines = (rest + decoder.decode(block, { stream: true })).split("\n");
          rest = lines.pop();
          for (const line of lines) {
            if (++rows === 0) head.append(...cells("th", line));
            else {
              const row = body.insertRow(0);
              row.append(...cells("td", line));
              if (body.rows.length > 3) body.deleteRow(-1);
            }
          }
          bar.value = rows / total;
          caption.textContent = `${rows} of ${total} rows`;
        }
      };
    },
  },

  download: {
    title: "Download",
    unit: "chunks",
    curl: (url) => `curl -N ${url} -OJ`,
    show(view, address) {
      const [bar, caption, save] = [$("progress", view), $(".caption", view), $(".save", view)];
      save.href = address;
      save.setAttribute("aria-label", `Save ${address}`);
      return async (panel) => {
        bar.value = 0;
        caption.textContent = "–";
        const response = await get(panel.url, panel.signal);
        const total = Number(response.headers.get("Content-Length"));
        const received = [];
        let size = 0;
        for await (const block of blocks(response)) {
          panel.advance();
          received.push(block);
          size += block.length;
          bar.value = size / total;
          caption.textContent = `${kibibytes(size)} of ${kibibytes(total)} KiB`;
        }
        caption.textContent = `${kibibytes(size)} KiB${await digest(new Blob(received))}`;
      };
    },
  },
};

const kibibytes = (bytes) => Math.round(bytes / 1024).toLocaleString("en");

const cells = (tag, line) =>
  line.split(",").map((text) => Object.assign(document.createElement(tag), { textContent: text }));

// The same in all three columns, if all three sent the same bytes. Browsers offer it to trustworthy origins only.
async function digest(blob) {
  if (!crypto.subtle) return "";
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return `, SHA-256 ${Array.from(hash.slice(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join("")}…`;
}

// The sparkline: the last forty values, from 0 to 100

class Chart {
  #values = [];
  #line;
  #area;
  #last;

  constructor(root) {
    [this.#line, this.#area, this.#last] = [$(".line", root), $(".area", root), $(".last", root)];
  }

  clear() {
    this.#values = [];
    this.#draw();
  }

  add(value) {
    this.#values = [...this.#values, value].slice(-40);
    this.#draw();
  }

  #draw() {
    const start = 40 - this.#values.length;
    const points = this.#values.map((value, index) => `${start + index},${(100 - value).toFixed(1)}`);
    const path = points.length ? `M${points.join("L")}` : "";
    this.#line.setAttribute("d", path);
    this.#area.setAttribute("d", path && `${path}V100H${start}Z`);
    this.#last.hidden = !points.length;
    this.#last.style.top = `${100 - this.#values.at(-1)}%`;
  }
}

// A panel: one address, its state and its figures

class Panel {
  #root;
  #name;
  #path;
  #play;
  #run = new AbortController();
  #began = 0;
  #count = 0;

  constructor(framework, name) {
    const kind = KINDS[name];
    this.#name = `${FRAMEWORKS[framework]}, ${kind.title}`;
    this.#path = `${framework}/${name}`;
    const address = new URL(this.#path, location.href).href;
    const root = (this.#root = stamp("panel").firstElementChild);
    root.dataset.panel = this.#path;
    root.dataset.kind = name;
    root.dataset.framework = framework;
    $("h3", root).textContent = FRAMEWORKS[framework];
    $(".unit", root).textContent = kind.unit;
    $(".first-of", root).textContent = kind.firstOf ?? "first byte";
    $(".view", root).append(stamp(`view-${name}`));
    $(".command code", root).textContent = kind.curl?.(address) ?? `curl -N ${address}`;
    $(".restart", root).setAttribute("aria-label", `Restart ${this.#name}`);
    $(".restart", root).addEventListener("click", () => this.start());
    $(".copy", root).setAttribute("aria-label", `Copy the command for ${this.#name}`);
    $(".copy", root).addEventListener("click", () => this.#copy());
    this.#play = kind.show($(".view", root), address);
  }

  get root() {
    return this.#root;
  }

  get state() {
    return this.#root.dataset.state;
  }

  get signal() {
    return this.#run.signal;
  }

  async start() {
    this.stop();
    const run = (this.#run = new AbortController());
    this.#count = 0;
    $(".count", this.#root).textContent = "0";
    $(".first", this.#root).textContent = "–";
    this.become("connecting");
    this.url = new URL(this.#path, `${await originOf(this.#path.split("/")[0])}/`).href;
    if (await isShared()) panels.forEach((panel) => panel === this || panel.wait());
    if (run.signal.aborted) return;
    this.#began = performance.now();
    try {
      await this.#play(this);
      if (!run.signal.aborted) this.become("done");
    } catch {
      if (!run.signal.aborted) this.become("error");
    }
  }

  stop() {
    this.#run.abort();
  }

  wait() {
    this.stop();
    if (this.state !== "done") this.become("waiting");
  }

  advance() {
    if (this.#count++ === 0) {
      $(".first", this.#root).textContent = `${Math.max(1, Math.round(performance.now() - this.#began))} ms`;
    }
    $(".count", this.#root).textContent = this.#count;
    this.become("streaming");
  }

  become(state) {
    if (this.#root.dataset.state === state && $(".status", this.#root).textContent) return;
    this.#root.dataset.state = state;
    $(".status", this.#root).textContent = state;
    if (state === "done" || state === "error") announce(`${this.#name}: ${state}`);
  }

  async #copy() {
    const [button, code] = [$(".copy", this.#root), $(".command code", this.#root)];
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
      announce("copied");
    } catch {
      getSelection().selectAllChildren(code); // no clipboard here: one key away
    }
  }
}

const panels = Object.keys(KINDS).flatMap((kind) =>
  Object.keys(FRAMEWORKS).map((framework) => {
    const panel = new Panel(framework, kind);
    $(`[data-scene="${kind}"] .panels`).append(panel.root);
    return panel;
  }),
);

// What ended before it was seen begins again when it is scrolled to.
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    const panel = panels.find(({ root }) => root === target);
    if (panel.state === "done") panel.start();
  }
});

// On one shared origin one panel streams at a time; each begins by its button.
export async function start() {
  if (await isShared()) panels[0].start();
  else panels.forEach((panel) => panel.start());
}

export const stop = () => panels.forEach((panel) => panel.stop());

export async function resume() {
  const isOne = await isShared();
  for (const panel of panels) if (panel.state !== "done" && !(isOne && panel.state === "waiting")) panel.start();
}

panels.forEach(({ root }) => seen.observe(root));
