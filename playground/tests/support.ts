import { readFileSync } from "node:fs";
import { type Page, test as base, expect } from "@playwright/test";

/** A page on which every request to another host, every error and every dialog fails the test. */
export const test = base.extend<{ requests: string[] }>({
  requests: async ({ page, baseURL }, use) => {
    const requests: string[] = [];
    const wrong: string[] = [];
    page.on("request", (request) => {
      const url = request.url();
      if (/^(data|blob):/.test(url)) return;
      requests.push(url);
      if (!url.startsWith(baseURL ?? "")) wrong.push(`a request to ${url}`);
    });
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("dialog", (dialog) => wrong.push(`a dialog: ${dialog.message()}`));
    await use(requests);
    expect(wrong).toEqual([]);
  },
});

export { expect };

export const wide = (page: Page) => (page.viewportSize()?.width ?? 0) >= 900;

/** Waits until the engine has answered what the editor has now. */
export async function answered(page: Page): Promise<void> {
  await expect(page.locator(".state.good, .state.bad, .state.plain").first()).toBeAttached();
}

export async function tab(page: Page, name: string): Promise<void> {
  if (name === "Template" && wide(page)) return;
  const found = page.getByRole("tab", { name: new RegExp(`^${name}`) });
  await found.click();
  await expect(found).toHaveAttribute("aria-selected", "true");
}

/** Opens a template from a file, and waits for the answer to it. */
export async function open(page: Page, text: string, name = "opened.yaml"): Promise<void> {
  await page.evaluate(() => performance.clearMarks("answered"));
  await page.getByLabel("Template file").setInputFiles({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
  await page.waitForFunction(() => performance.getEntriesByName("answered").length > 0);
}

export async function example(page: Page, id: string): Promise<void> {
  await page.evaluate(() => performance.clearMarks("answered"));
  await page.locator("#example").selectOption(id);
  await page.waitForFunction(() => performance.getEntriesByName("answered").length > 0);
}

/** The text of the editor, which itself renders only the lines that fit: what the page keeps for a reload. */
export async function editorText(page: Page): Promise<string> {
  const kept = await page.evaluate(() => sessionStorage.getItem("ecs-exec-role-playground"));
  return (JSON.parse(kept ?? "{}") as { text?: string }).text ?? "";
}

/** What the view Expanded downloads. */
export async function downloaded(page: Page): Promise<string> {
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  return readFileSync(await (await waiting).path(), "utf8");
}

export const TASK = `Transform: EcsExecRole
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions:
        - Name: web
          Image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1
`;
