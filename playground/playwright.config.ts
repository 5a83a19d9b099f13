import { defineConfig } from "@playwright/test";
import { args, executablePath } from "./browser.mjs";

const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const PORT = 8917;

export default defineConfig({
  testDir: "tests",
  outputDir: "../build/playground-tests",
  // The engine takes a core, so two pages at a time are enough for a small machine.
  workers: 2,
  fullyParallel: true,
  timeout: 120_000,
  expect: { timeout: 60_000 },
  forbidOnly: true,
  // A busy machine of the CI can be too slow for one test once.
  retries: process.env.CI ? 1 : 0,
  reporter: [["list"]],
  use: {
    baseURL: `http://127.0.0.1:${PORT}/`,
    launchOptions: { executablePath, args },
  },
  webServer: { command: `node serve.mjs ${PORT}`, url: `http://127.0.0.1:${PORT}/`, reuseExistingServer: false },
  projects: [
    { name: "desktop light", use: { ...desktop, colorScheme: "light" } },
    { name: "desktop dark", use: { ...desktop, colorScheme: "dark" }, testMatch: "page.spec.ts" },
    { name: "phone light", use: { ...phone, colorScheme: "light" }, testMatch: "page.spec.ts" },
    { name: "phone dark", use: { ...phone, colorScheme: "dark" }, testMatch: "page.spec.ts" },
  ],
});
