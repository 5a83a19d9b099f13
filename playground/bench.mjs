// Measures the page in Chromium: its size as a web host sends it, the first answer in a browser that has nothing of it
// yet, and the answer to an edit.
//
//   node bench.mjs [RUNS]

import { readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium } from "@playwright/test";
import { args, executablePath } from "./browser.mjs";
import { serve } from "./serve.mjs";

const RUNS = Number(process.argv[2] ?? 5);
const OUT = join(dirname(fileURLToPath(import.meta.url)), "..", "build", "playground");

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rounded = (numbers) => numbers.map((number) => Math.round(number)).join(", ");

let raw = 0;
let sent = 0;
for (const name of readdirSync(OUT, { recursive: true })) {
  const file = join(OUT, name);
  if (!statSync(file).isFile() || name === "licenses.txt") continue;
  const bytes = readFileSync(file);
  const zipped = gzipSync(bytes, { level: 6 }).length;
  raw += bytes.length;
  sent += Math.min(zipped, bytes.length);
  console.log(`${String(bytes.length).padStart(10)} ${String(zipped).padStart(10)}  ${name}`);
}
console.log(`${String(raw).padStart(10)} ${String(sent).padStart(10)}  all (bytes; bytes with gzip)`);

const { server, url } = await serve();
const answered = (page) => page.waitForFunction(() => performance.getEntriesByName("answered").length > 0, null, { timeout: 120_000 });
const when = (page) => page.evaluate(() => performance.getEntriesByName("answered")[0].startTime);

const cold = [];
const edits = {};
for (let run = 0; run < RUNS; run++) {
  // A new browser has no cache of files and none of compiled code.
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(url);
  await answered(page);
  cold.push(await when(page));
  for (const id of ["start", "web-service"]) {
    await page.evaluate(() => performance.clearMarks());
    await page.locator("#example").selectOption(id);
    await answered(page);
    await page.waitForTimeout(500);
    await page.locator("#panel-template .cm-content").click();
    await page.keyboard.press("Control+End");
    for (let edit = 0; edit < 10; edit++) {
      await page.evaluate(() => performance.clearMarks());
      await page.evaluate(() => {
        const editor = document.querySelector("#panel-template .cm-content");
        editor.addEventListener("keydown", () => performance.mark("typed"), { once: true });
      });
      await page.keyboard.type("#");
      await answered(page);
      const took = await page.evaluate(
        () => performance.getEntriesByName("answered")[0].startTime - performance.getEntriesByName("typed")[0].startTime,
      );
      (edits[id] ??= []).push(took);
      await page.waitForTimeout(250);
    }
  }
  await browser.close();
}
server.close();
console.log(`first answer, cold: median ${Math.round(median(cold))} ms (${rounded(cold)})`);
for (const [id, took] of Object.entries(edits)) {
  const sorted = [...took].sort((a, b) => a - b);
  const last = Math.round(sorted[Math.floor(sorted.length * 0.9)]);
  console.log(`answer to an edit of ${id}.yaml: median ${Math.round(median(took))} ms, 90 % within ${last} ms`);
}
