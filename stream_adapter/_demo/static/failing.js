// A failure in mid-stream: what was sent stays, and a record without the exception's text says that it is not all.

import { framework, onChoice } from "./choice.js";
import { light } from "./code.js";
import { Stage } from "./page.js";
import { originOf } from "./server.js";

const stage = new Stage("failing");
const [view, record] = [stage.$(".view"), stage.$(".record")];
let source = null;

export async function start() {
  stop();
  const origin = await originOf(framework());
  stop();
  const opened = (source = new EventSource(`${origin}/${framework()}/failing`));
  view.textContent = "";
  record.hidden = true;
  stage.become("connecting");
  opened.onmessage = ({ data }) => {
    view.append(data);
    stage.become("streaming");
    light("failing", "yield");
  };
  opened.addEventListener("error", ({ data }) => {
    opened.close();
    record.hidden = !data;
    record.textContent = `event: error\ndata: ${data}`;
    stage.become(data ? "failed" : "error");
    light("failing", "raise");
  });
}

export function stop() {
  source?.close();
}

export function resume() {
  if (stage.state !== "failed") start();
}

stage.on(".again", start);
onChoice(start);
