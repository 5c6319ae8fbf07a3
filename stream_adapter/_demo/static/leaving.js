// A client that leaves: the generator's `finally` runs on the server, and publishes that it has.

import { framework, onChoice } from "./choice.js";
import { light } from "./code.js";
import { news } from "./news.js";
import { get, Stage, values } from "./page.js";
import { originOf } from "./server.js";

const stage = new Stage("leaving");
let run = new AbortController();
let visit = null;

export async function start() {
  stop();
  const { signal } = (run = new AbortController());
  visit = Math.random().toString(36).slice(2);
  stage.$(".received").textContent = stage.$(".closed").textContent = "–";
  offer(".leave");
  stage.become("connecting");
  try {
    const origin = await originOf("leaving");
    for await (const number of values(await get(`${origin}/${framework()}/leaving/${visit}`, signal))) {
      stage.$(".received").textContent = number;
      stage.become("streaming");
      light("leaving", "yield");
    }
    stage.become("done");
    offer(".return");
  } catch {
    if (signal.aborted) return;
    stage.become("error");
    offer(".return");
  }
}

export function stop() {
  run.abort();
}

export function resume() {
  if (stage.state !== "left" && stage.state !== "done") start();
}

function leave() {
  stop();
  stage.become("left");
  light("leaving");
  offer(".return");
}

function offer(selector) {
  for (const button of [".leave", ".return"]) stage.$(button).hidden = button !== selector;
}

news.addEventListener("finally", ({ data }) => {
  const closed = JSON.parse(data);
  if (closed.visit !== visit) return;
  stage.$(".closed").textContent = `ran at ${closed.number}`;
  light("leaving", "finally", "await live.apublish");
});

stage.on(".leave", leave);
stage.on(".return", start);
onChoice(start);
