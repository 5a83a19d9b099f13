/** The functions of the page. */

import { TASK, answered, downloaded, editorText, example, expect, open, tab, test } from "./support";

test.beforeEach(async ({ page, requests }) => {
  expect(requests).toEqual([]);
  await page.goto("./");
  await answered(page);
});

test("the mistakes are marked in place, with what to write", async ({ page }) => {
  await example(page, "mistakes");
  await expect(page.locator(".state")).toHaveText("3 mistakes");
  await expect(page.locator(".cm-lint-marker-error")).toHaveCount(3);
  await page.locator(".cm-lintRange-error", { hasText: "team/*" }).hover();
  await expect(page.locator(".cm-tooltip")).toContainText("Name one resource", { ignoreCase: true });
  await page.getByRole("button", { name: "Give PasswordArn a value" }).click();
  await expect(page.getByLabel(/^PasswordArn/)).toBeFocused();
  await page.keyboard.insertText("arn:aws:secretsmanager:us-east-1:123456789012:secret:web-a1b2c3");
  await expect(page.locator(".state")).toHaveText("2 mistakes");
});

test("the last valid role stays while a template is being typed", async ({ page }) => {
  await page.locator("#panel-template .cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText("\nOutputs: [");
  await expect(page.locator(".state")).toHaveText("1 mistake");
  await expect(page.locator(".stale .statement").first()).toBeVisible();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await expect(page.locator(".box.error")).toContainText("empty");
});

test("a hand-written role is compared, and replaced by one line that can be undone", async ({ page }) => {
  await example(page, "hand-written");
  await expect(page.locator(".box.lacking")).toContainText("secretsmanager:GetSecretValue");
  await expect(page.locator(".diff .minus").first()).toContainText("ExecutionRoleArn");
  await page.getByRole("button", { name: "Apply to the template" }).click();
  await expect.poll(() => editorText(page)).toContain("ExecutionRoleSpec: Auto");
  expect(await editorText(page)).not.toContain("WebRole");
  await page.locator("#panel-template .cm-content").click();
  await page.keyboard.press("Control+z");
  await expect.poll(() => editorText(page)).toContain("WebRole");
});

test("a guardrail is a switch", async ({ page }) => {
  await tab(page, "Settings");
  await page.getByRole("switch", { name: "Permissions boundary" }).check({ force: true });
  await page.getByLabel("Name or ARN of the policy").fill("team-boundary");
  await tab(page, "Expanded");
  await expect.poll(() => downloaded(page)).toContain("policy/team-boundary");
  await tab(page, "Settings");
  await page.getByLabel("Name or ARN of the policy").fill("no such policy!");
  await expect(page.locator(".value .error")).toContainText("not a managed policy");
  await page.getByRole("switch", { name: "Permissions boundary" }).uncheck({ force: true });
  await open(page, TASK.replace("123456789012", "210987654321"));
  await page.getByRole("switch", { name: "Only allowed accounts" }).check({ force: true });
  await tab(page, "Role");
  await expect(page.locator(".box.error")).toContainText("210987654321");
});

test("a link has the template and the settings, and nothing sends them", async ({ page, context, requests }) => {
  await open(page, TASK.replace("web:1", "in-a-link:1"), "mine.yaml");
  await tab(page, "Settings");
  await page.getByRole("switch", { name: "Role path" }).check({ force: true });
  await page.getByRole("button", { name: "Share link" }).click();
  await expect(page).toHaveURL(/#t=/);
  const other = await context.newPage();
  const asked: string[] = [];
  other.on("request", (request) => asked.push(`${request.url()} ${request.postData() ?? ""}`));
  await other.goto(page.url());
  await answered(other);
  await expect(other.locator(".name")).toHaveText("mine.yaml");
  expect(await editorText(other)).toContain("in-a-link");
  await other.getByRole("tab", { name: /^Settings/ }).click();
  await expect(other.getByRole("switch", { name: "Role path" })).toBeChecked();
  const fragment = new URL(page.url()).hash.slice(0, 40);
  // The browser's own record of a request has the fragment of the page; what is sent has not.
  expect([...requests, ...asked].filter((each) => each.includes(fragment) && !each.startsWith(page.url()))).toEqual([]);
  // What is typed after that is not in the address.
  await other.locator("#panel-template .cm-content").click();
  await other.keyboard.insertText("#");
  await expect(other).not.toHaveURL(/#t=/);
});

test("a broken link is said to be broken", async ({ page }) => {
  await page.goto("./#t=bm90LWEtdGVtcGxhdGU");
  await expect(page.locator(".message")).toContainText("The link is not complete");
  await page.reload();
  await answered(page);
  await expect(page.locator(".message")).toContainText("The link is not complete");
});

test("a file is opened by dropping it", async ({ page }) => {
  const dataTransfer = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "dropped.yaml"));
    return transfer;
  }, TASK);
  await page.dispatchEvent("#panel-template .cm-content", "dragover", { dataTransfer });
  await expect(page.locator(".drop")).toBeVisible();
  await page.dispatchEvent("#panel-template .cm-content", "drop", { dataTransfer });
  await expect(page.locator(".name")).toHaveText("dropped.yaml");
  await expect.poll(() => editorText(page)).toBe(TASK);
});

test("a file that is no template is refused with a reason", async ({ page }) => {
  const file = page.getByLabel("Template file");
  await file.setInputFiles({ name: "large.yaml", mimeType: "text/plain", buffer: Buffer.alloc(1_000_001, "a") });
  await expect(page.locator(".message")).toContainText("larger than 1 MB");
  await file.setInputFiles({ name: "latin.yaml", mimeType: "text/plain", buffer: Buffer.from([0x61, 0xe9]) });
  await expect(page.locator(".message")).toContainText("not text in UTF-8");
});

test("what a template says is text, and never markup", async ({ page }) => {
  const name = `<img src=x onerror="alert(1)">`;
  await open(page, TASK.replace("Name: web", `Name: '${name}'`));
  await expect(page.locator(".reasons").first()).toContainText(name);
  await expect(page.locator("#answer img")).toHaveCount(0);
});

test("the keys and values of the spec are completed from the schema", async ({ page }) => {
  await open(page, TASK.replace("ExecutionRoleSpec: Auto", "ExecutionRoleSpec:\n        "));
  await page.locator("#panel-template .cm-content").click();
  await page.keyboard.press("Control+Home");
  for (let line = 0; line < 6; line++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  await page.keyboard.type("Pre");
  await expect(page.locator(".cm-tooltip-autocomplete")).toContainText("Preflight");
  await expect(page.locator(".cm-completionInfo")).toContainText("checked when the stack is deployed");
  await page.waitForTimeout(200);
  await page.keyboard.press("Enter");
  await page.keyboard.type(" ");
  await page.keyboard.press("Control+Space");
  await expect(page.locator(".cm-tooltip-autocomplete")).toContainText("Warn");
  await page.keyboard.press("Escape");
  await page.keyboard.type("Warn");
  await expect.poll(() => editorText(page)).toContain("Preflight: Warn");
  await expect(page.locator(".state.good")).toBeVisible();
});

test("the page is used by keyboard alone", async ({ page }) => {
  await page.keyboard.press("Tab");
  await expect(page.locator(".skip")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#answer")).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await expect(page.getByRole("tab", { name: /^Role/ })).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: /^Expanded/ })).toBeFocused();
  await expect(page.locator("#answer .cm-content")).toContainText("TaskExecutionRole");
  await page.keyboard.press("End");
  await expect(page.getByRole("tab", { name: /^Settings/ })).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("switch").first()).toBeFocused();
  await page.keyboard.press("Space");
  await expect(page.getByRole("switch").first()).toBeChecked();
  await page.getByRole("tab", { name: /^Settings/ }).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await expect(page.locator("#answer .line").first()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#panel-template .cm-content")).toBeFocused();
  // Tab leaves the editor, so the keyboard focus is not trapped in it.
  await page.keyboard.press("Tab");
  await expect(page.locator("#panel-template .cm-content")).not.toBeFocused();
});

test("a page whose engine cannot be loaded says so, and can try again", async ({ page }) => {
  await page.route("**/engine.zip", (route) => route.fulfill({ status: 404, body: "" }));
  await page.reload();
  await expect(page.getByRole("heading", { name: "The engine could not be loaded" })).toBeVisible();
  await page.unroute("**/engine.zip");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.locator(".statement").first()).toBeVisible();
});

for (const [what, body] of [
  ["is not there", undefined],
  ["is not what it should be", "not the memory of any Python"],
] as const) {
  test(`the page starts without the prepared memory where that ${what}`, async ({ page }) => {
    await page.route("**/memory.bin", (route) => route.fulfill(body === undefined ? { status: 404 } : { body }));
    await page.reload();
    await expect(page.locator(".state.good")).toBeVisible({ timeout: 100_000 });
    await tab(page, "Role");
    await expect(page.locator(".statement").first()).toBeVisible();
  });
}

test("a template without a task definition is said to have none", async ({ page }) => {
  await open(page, "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n");
  await expect(page.getByRole("heading", { name: "There is no role to write" })).toBeVisible();
  await tab(page, "Compare");
  await page.getByRole("button", { name: "Open an example" }).click();
  await expect(page.locator(".box.lacking")).toBeVisible();
});
