// Twelve panels: what each framework streams, read as it comes. Nothing here waits for the end of a response.

const FRAMEWORKS = {
  flask: { title: "Flask", about: "WSGI, through to_asgi" },
  django: { title: "Django", about: "ASGI" },
  fastapi: { title: "FastAPI", about: "ASGI" },
};

const $ = (selector, root = document) => root.querySelector(selector);
const stamp = (id) => $(`#${id}`).content.cloneNode(true);

// ---- Reading

// Yield what arrives, block by block, as the network delivers it.
async function* blocks(response) {
  const reader = response.body.getReader();
  for (let read; !(read = await reader.read()).done; ) yield read.value;
}

async function get(url, signal) {
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}

const ports = fetch("ports").then((response) => response.json());

// A browser opens six connections to one origin, and this page needs thirteen: each framework has a port of its own.
// Where that cannot be reached (through a tunnel, say), the page's own address serves; then some panels wait their turn.
async function originOf(framework) {
  try {
    const url = new URL(location.origin);
    url.port = (await ports)[framework];
    await fetch(new URL("icon.svg", url), { method: "HEAD", signal: AbortSignal.timeout(5000) });
    return url.origin;
  } catch {
    return location.origin;
  }
}

// ---- The four kinds. `show` prepares a view; what it returns reads one stream into it, and is over when that is.

const KINDS = {
  text: {
    title: "Text",
    about: "async, word by word",
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
    about: "async, server-sent",
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
    about: "sync, row by row",
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
    about: "sync, 2 MiB of bytes",
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

// ---- The sparkline: the last forty values, from 0 to 100

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

// ---- A panel: one address, its state and its figures

class Panel {
  #root;
  #name;
  #origin;
  #path;
  #play;
  #run = new AbortController();
  #began = 0;
  #count = 0;

  constructor(framework, name, origin) {
    const kind = KINDS[name];
    this.#name = `${FRAMEWORKS[framework].title}, ${kind.title}`;
    this.#origin = origin;
    this.#path = `${framework}/${name}`;
    const address = new URL(this.#path, location.href).href;
    const root = (this.#root = stamp("panel").firstElementChild);
    root.dataset.panel = this.#path;
    root.dataset.kind = name;
    $("h3", root).textContent = kind.title;
    $(".kind", root).textContent = kind.about;
    $(".unit", root).textContent = kind.unit;
    $(".first-of", root).textContent = kind.firstOf ?? "first byte";
    $(".view", root).append(stamp(`view-${name}`));
    $("code", root).textContent = kind.curl?.(address) ?? `curl -N ${address}`;
    $(".restart", root).setAttribute("aria-label", `Restart ${this.#name}`);
    $(".restart", root).addEventListener("click", () => this.start());
    $(".copy", root).setAttribute("aria-label", `Copy the command for ${this.#name}`);
    $(".copy", root).addEventListener("click", () => this.#copy());
    this.#play = kind.show($(".view", root), address);
  }

  get root() {
    return this.#root;
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
    this.url = new URL(this.#path, `${await this.#origin}/`).href;
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
    if (state === "done" || state === "error") $("#announcement").textContent = `${this.#name}: ${state}`;
  }

  async #copy() {
    const [button, code] = [$(".copy", this.#root), $("code", this.#root)];
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
      $("#announcement").textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard here: one key away
    }
  }
}

// ---- The page

const panels = Object.entries(FRAMEWORKS).flatMap(([framework, { title, about }]) => {
  const column = stamp("framework").firstElementChild;
  $("h2 .name", column).textContent = title;
  $("h2 .aside", column).textContent = about;
  $("#frameworks").append(column);
  const origin = originOf(framework);
  return Object.keys(KINDS).map((kind) => {
    const panel = new Panel(framework, kind, origin);
    column.append(panel.root);
    return panel;
  });
});

let open;

function start() {
  open = new EventSource("open");
  open.onmessage = ({ data }) => ($("#open").textContent = data);
  open.onerror = () => ($("#open").textContent = "–");
  for (const panel of panels) panel.start();
}

function stop() {
  open.close();
  for (const panel of panels) panel.stop();
}

$("#restart-all").addEventListener("click", () => panels.forEach((panel) => panel.start()));
addEventListener("pagehide", stop); // a page that the browser keeps for the back button must not keep its streams
addEventListener("pageshow", ({ persisted }) => persisted && start());
start();
