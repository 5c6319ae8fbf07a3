// The page: its scenes begin when it is opened, end when it is left, and go on when its server is back.

import * as answer from "./answer.js";
import { showCode } from "./code.js";
import * as failing from "./failing.js";
import * as leaving from "./leaving.js";
import * as news from "./news.js";
import { $ } from "./page.js";
import * as panels from "./panels.js";
import { isShared, server, unwatch, watch } from "./server.js";

const scenes = [news, answer, failing, leaving, panels];

function start() {
  watch();
  for (const scene of scenes) scene.start();
}

function resume() {
  for (const scene of scenes) scene.resume();
}

function stop() {
  unwatch();
  for (const scene of scenes) scene.stop();
}

$("#restart-all").addEventListener("click", () => panels.start());
server.addEventListener("back", resume);
addEventListener("pagehide", stop); // a page that the browser keeps for the back button must not keep its streams
document.addEventListener("visibilitychange", async () => {
  if (!(await isShared())) return; // else a hidden tab would keep the connections that a visible one needs
  if (document.hidden) stop();
  else {
    watch();
    resume();
  }
});
addEventListener("pageshow", ({ persisted }) => persisted && start());
start();
showCode();
