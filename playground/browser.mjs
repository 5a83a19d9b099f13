// Finds Chromium, and starts it so that it calls no other host.

import { existsSync } from "node:fs";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable"];

/** The browser that CHROMIUM names, or one that is installed; undefined leaves it to Playwright. */
export const executablePath = process.env.CHROMIUM ?? PLACES.find((path) => existsSync(path));

export const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
