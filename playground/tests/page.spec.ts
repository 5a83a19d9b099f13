/** The page as a new user sees it, in each size and colour. */

import AxeBuilder from "@axe-core/playwright";
import { TASK, answered, example, expect, open, tab, test, wide } from "./support";

test.beforeEach(async ({ page, requests }) => {
  expect(requests).toEqual([]);
  await page.goto("./");
  await answered(page);
});

test("shows the role of the first example, and each permission with its line", async ({ page }) => {
  await tab(page, "Role");
  await expect(page.getByRole("heading", { name: /^TaskExecutionRole for Task/ })).toBeVisible();
  const secrets = page.locator(".statement", { hasText: "ReadSecrets" });
  await expect(secrets.locator("code", { hasText: "secretsmanager:GetSecretValue" })).toBeVisible();
  await expect(secrets.getByRole("button", { name: "line 17" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Left out, and why" })).toBeVisible();
});

test("every view is accessible", async ({ page }, info) => {
  const scan = async (name: string) => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map((each) => `${name}: ${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`);
    expect(found).toEqual([]);
    await info.attach(name, { body: await page.screenshot(), contentType: "image/png" });
  };
  await scan("template");
  for (const id of ["start", "hand-written", "mistakes"]) {
    await example(page, id);
    for (const name of ["Role", "Expanded", "Compare"]) {
      await tab(page, name);
      await scan(`${id}, ${name}`);
    }
  }
  await tab(page, "Settings");
  await scan("Settings, all off");
  for (const each of await page.getByRole("switch").all()) await each.check({ force: true });
  await scan("Settings, all on");
});

test("nothing is wider than the screen", async ({ page }) => {
  for (const id of ["start", "customer-key", "hand-written", "mistakes"]) {
    await example(page, id);
    for (const name of ["Template", "Role", "Expanded", "Compare", "Settings"]) {
      await tab(page, name);
      const page_ = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      const answer = await page.locator("#answer").evaluate((node) => node.scrollWidth - node.clientWidth);
      expect({ id, name, page: Math.max(page_, 0), answer }).toEqual({ id, name, page: 0, answer: 0 });
    }
  }
});

test("a permission leads to its line", async ({ page }) => {
  await tab(page, "Role");
  await page.locator(".statement", { hasText: "ReadSecrets" }).getByRole("button", { name: "line 17" }).click();
  await expect(page.locator("#panel-template .cm-activeLine")).toHaveText(/ValueFrom: !Sub/);
  await expect(page.locator("#panel-template .cm-content")).toBeFocused();
  if (wide(page)) await expect(page.locator(".statement.lit")).toContainText("ReadSecrets");
});

test("no host is asked for anything once the page is there, and it works without a network", async ({
  page,
  requests,
  context,
}) => {
  const before = requests.length;
  await context.setOffline(true);
  await open(page, TASK);
  await tab(page, "Expanded");
  await expect(page.locator("#answer .cm-content")).toContainText("TaskExecutionRole");
  await page.getByRole("button", { name: "Share link" }).click();
  await expect(page).toHaveURL(/#t=/);
  await tab(page, "Compare");
  await tab(page, "Settings");
  expect(requests.slice(before)).toEqual([]);
});
