// A subscription that is cut, and goes on after its last event. It also brings the news that other scenes wait for.

import { framework, onChoice } from "./choice.js";
import { make, Stage } from "./page.js";
import { originOf } from "./server.js";

export const news = new EventTarget(); // "open", "asked", "finally"

const CYCLE = 100_000; // numbers, after which they begin again; four a second
const KEPT = 120; // numbers that are shown
const PAUSE = 2500; // milliseconds that a cut takes

const stage = new Stage("news");
const list = stage.$(".numbers");
let source = null;
let timer;
let cursor = null; // the id of the last event
let last = null; // its number
let cutAt = null; // when this page has cut its connection
let lateBefore = 0; // numbers that were published while it was cut
let received = 0;
let lost = 0;
let repeated = 0;

async function connect() {
  stop();
  const origin = await originOf("news");
  stop();
  const url = new URL(`${origin}/${framework()}/news`);
  if (cursor) url.searchParams.set("last_event_id", cursor); // what EventSource sends when it reconnects by itself
  const opened = (source = new EventSource(url));
  opened.onmessage = (event) => {
    cursor = event.lastEventId;
    count(Number(event.data));
    stage.become("streaming");
  };
  opened.addEventListener("stream-open", ({ lastEventId }) => (cursor = lastEventId));
  opened.addEventListener("stream-reset", ({ data, lastEventId }) => {
    cursor = lastEventId;
    last = null;
    lateBefore = received = lost = repeated = 0;
    mark(`stream-reset: ${JSON.parse(data).reason}`, "reset");
  });
  for (const name of ["asked", "finally"]) {
    opened.addEventListener(name, ({ data, lastEventId }) => {
      cursor = lastEventId;
      news.dispatchEvent(new MessageEvent(name, { data }));
    });
  }
  opened.onopen = () => news.dispatchEvent(new Event("open"));
  opened.onerror = () => {
    stage.become("connecting");
    if (opened.readyState === EventSource.CLOSED) timer = setTimeout(connect, 2000); // its broker is away
  };
}

export function stop() {
  clearTimeout(timer);
  source?.close();
}

export const start = connect;
export const resume = connect;

function count(number) {
  const step = last === null ? 1 : (number - last + CYCLE) % CYCLE;
  if (step === 0 || step > CYCLE / 2) repeated++;
  else lost += step - 1;
  last = number;
  received++;
  list.append(make("li", lateBefore-- > 0 ? "late" : "", number));
  while (list.childElementCount > KEPT) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
  for (const [name, value] of Object.entries({ received, lost, repeated })) stage.$(`.figures .${name}`).textContent = value;
}

function mark(text, className) {
  list.append(make("li", `mark ${className}`, text));
  list.scrollTop = list.scrollHeight;
}

function cut() {
  stop();
  cutAt = performance.now();
  stage.become("cut");
  stage.$(".cut").disabled = true;
  mark("cut", "cut");
  timer = setTimeout(() => {
    lateBefore = Math.floor((performance.now() - cutAt) / 250);
    mark(`Last-Event-ID: ${cursor}`, "cursor");
    stage.$(".cut").disabled = false;
    connect();
  }, PAUSE);
}

stage.on(".cut", cut);
onChoice(connect);
