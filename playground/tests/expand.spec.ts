/** The page gives the bytes of `ecs-exec-role expand`, for every example and every event of the macro. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { answered, downloaded, expect, open, tab, test } from "./support";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");

function templates(): string[] {
  const found = [join(ROOT, "docs", "hand-written.yaml")];
  for (const folder of ["examples", "playground/examples", "tests/checkers/bad"]) {
    const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".yaml"));
    found.push(...names.map((name) => join(ROOT, folder, name)));
  }
  const folder = mkdtempSync(join(tmpdir(), "playground-"));
  for (const name of readdirSync(join(ROOT, "events")).filter((each) => each.startsWith("macro-"))) {
    const event = JSON.parse(readFileSync(join(ROOT, "events", name), "utf8")) as { fragment: { Resources?: unknown } };
    // A snippet is a part of a template, and not a file.
    if (!event.fragment.Resources) continue;
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(event.fragment, null, 2));
    found.push(file);
  }
  return found;
}

test("the bytes are those of the command", async ({ page, requests }) => {
  test.setTimeout(600_000);
  expect(requests).toEqual([]);
  const files = templates();
  const python = process.env.PYTHON ?? join(ROOT, ".venv", "bin", "python");
  const command = [join(HERE, "expected.py"), ...files];
  const told = execFileSync(python, command, { encoding: "utf8", maxBuffer: 2 ** 26, cwd: ROOT });
  const expected = JSON.parse(told) as Record<string, { code: number; bytes: string; told: string }>;
  await page.goto("./");
  await answered(page);
  await tab(page, "Expanded");
  let compared = 0;
  for (const file of files) {
    const name = basename(file);
    const done = expected[file];
    if (!done) throw new Error(`nothing was said of ${file}`);
    await open(page, readFileSync(file, "utf8"), name);
    if (done.code) {
      const mistakes = [...done.told.matchAll(/^\S.*?:(\d+):\d+: /gm)].map((match) => `line ${match[1]}`);
      expect(mistakes.length, name).toBeGreaterThan(0);
      await expect(page.locator(".box.error li > .line"), name).toHaveText(mistakes);
      continue;
    }
    if (await page.getByRole("heading", { name: "Nothing to expand" }).isVisible()) {
      // The command writes a template without a spec as it is.
      expect(done.bytes, name).not.toContain("RoleArn: !GetAtt TaskExecutionRole");
      expect(readFileSync(file, "utf8"), name).not.toMatch(/^[^#]*ExecutionRoleSpec/m);
      continue;
    }
    expect(await downloaded(page), name).toBe(done.bytes);
    compared += 1;
  }
  console.log(`${files.length} templates, ${compared} expanded and compared byte for byte`);
  expect(compared).toBeGreaterThan(40);
});
