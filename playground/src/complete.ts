/** Completes `ExecutionRoleSpec` from its JSON Schema, and references from the template itself. */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { insertCompletionText } from "@codemirror/autocomplete";
import type { EditorView } from "@codemirror/view";
import { schema } from "./data";

interface Schema {
  $ref?: string;
  title?: string;
  description?: string;
  examples?: unknown[];
  enum?: unknown[];
  const?: unknown;
  type?: string;
  anyOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema | boolean>;
  items?: Schema | Schema[];
}

export interface Place {
  /** Keys from the top; `*` stands for an item of a list. */
  path: string[];
  /** Whether a key or a value is written, and the part that is there. */
  kind: "key" | "value";
  key: string;
  prefix: string;
  quoted: boolean;
}

const definitions = schema.definitions as Record<string, Schema>;
const PROPERTY = "ExecutionRoleSpec";
const DEFINITIONS = [
  "AWS::ECS::TaskDefinition",
  "AWS::ECS::DaemonTaskDefinition",
  "AWS::ECS::ExpressGatewayService",
  "AWS::Batch::JobDefinition",
];
const ROLE = "AWS::IAM::Role";
const PSEUDO = ["AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix"];

/** The place of the end of `before` in a YAML template, by indentation: it works while the rest is not valid yet. */
export function yamlPlace(before: string): Place | null {
  const lines = before.split("\n");
  const last = lines.pop() ?? "";
  if (/^\s*#|\s#/.test(last)) return null;
  const parts = entries(last);
  const rest = parts.rest;
  const colon = /^([\w:.\-"']+):(\s+)(.*)$/.exec(rest);
  let indent = parts.indent;
  const path: string[] = parts.dashes.map(() => "*");
  const place: Place = { path, kind: "key", key: "", prefix: rest, quoted: false };
  if (colon) {
    place.kind = "value";
    place.key = unquoted(colon[1] ?? "");
    place.prefix = colon[3] ?? "";
  }
  indent = parts.dashes[0] ?? indent;
  let dashed = parts.dashes.length > 0;
  for (let number = lines.length - 1; number >= 0; number--) {
    const line = lines[number] ?? "";
    if (!line.trim() || /^\s*#/.test(line)) continue;
    const above = entries(line);
    const key = /^([\w:.\-"'/]+):(?:\s|$)/.exec(above.rest);
    // In YAML the items of a list can be in the same column as the key above them.
    if (key && above.indent < indent + (dashed ? 1 : 0)) {
      path.unshift(unquoted(key[1] ?? ""));
      indent = above.indent;
      dashed = false;
    }
    const open = above.dashes.filter((dash) => dash < indent);
    if (open.length) {
      for (const _ of open) path.unshift("*");
      indent = open[0] ?? indent;
      dashed = true;
    }
    if (indent === 0 && !dashed) break;
  }
  return place;
}

function entries(line: string): { indent: number; dashes: number[]; rest: string } {
  let at = /^ */.exec(line)?.[0].length ?? 0;
  const dashes: number[] = [];
  for (;;) {
    const dash = /^-(\s+|$)/.exec(line.slice(at));
    if (!dash) break;
    dashes.push(at);
    at += dash[0].length;
  }
  return { indent: at, dashes, rest: line.slice(at) };
}

function unquoted(text: string): string {
  return text.replace(/^["']|["']$/g, "");
}

/** The same for JSON, by brackets. */
export function jsonPlace(before: string): Place | null {
  const stack: { list: boolean; key: string }[] = [];
  let text: string | null = null;
  let last = "";
  let value = false;
  for (let at = 0; at < before.length; at++) {
    const character = before[at];
    if (text !== null) {
      if (character === "\\") text += character + (before[++at] ?? "");
      else if (character === '"') {
        last = text;
        text = null;
      } else text += character;
      continue;
    }
    const top = stack.at(-1);
    if (character === '"') text = "";
    else if (character === "{") stack.push({ list: false, key: "" }), (value = false);
    else if (character === "[") stack.push({ list: true, key: "*" }), (value = true);
    else if (character === "}" || character === "]") stack.pop(), (value = false);
    else if (character === ":" && top) (top.key = last), (value = true);
    else if (character === "," && top) value = top.list;
  }
  if (!stack.length) return null;
  const top = stack.at(-1);
  if (!top) return null;
  const outer = stack.slice(0, -1).map((each) => each.key);
  if (text === null && !value) return null;
  const path = top.list ? [...outer, "*"] : outer;
  return { path, kind: value ? "value" : "key", key: value && !top.list ? top.key : "", prefix: text ?? "", quoted: text !== null };
}

function expanded(node: Schema | boolean | undefined, seen = new Set<string>()): Schema[] {
  if (!node || typeof node === "boolean") return [];
  const found: Schema[] = [node];
  if (node.$ref && !seen.has(node.$ref)) {
    found.push(...expanded(definitions[node.$ref.replace("#/definitions/", "")], new Set([...seen, node.$ref])));
  }
  for (const each of [...(node.anyOf ?? []), ...(node.allOf ?? [])]) {
    // A function or the long form of a condition is not a key of the language.
    if (each.title !== "Fn::If" && each.title !== "short form") found.push(...expanded(each, seen));
  }
  return found;
}

function below(nodes: Schema[], key: string): Schema[] {
  return nodes.flatMap((node) => {
    if (key === "*") return Array.isArray(node.items) ? [] : expanded(node.items);
    return expanded(node.properties?.[key]);
  });
}

function resources(template: string): { name: string; type: string }[] {
  const found: { name: string; type: string }[] = [];
  const pattern = /^ {2,4}"?([A-Za-z0-9]+)"?:\s*\{?\s*(?:#.*)?\n(?:\s+.*\n)*?\s+"?Type"?:\s*"?([\w:]+)/gm;
  for (const match of template.matchAll(pattern)) found.push({ name: match[1] ?? "", type: match[2] ?? "" });
  return found;
}

function parameters(template: string): string[] {
  const block = /^Parameters:\s*\n((?:[ #].*\n|\s*\n)*)/m.exec(template)?.[1] ?? "";
  return [...block.matchAll(/^ {2,4}([A-Za-z0-9]+):/gm)].map((match) => match[1] ?? "");
}

function typeOf(template: string, name: string): string {
  const start = new RegExp(`^(\\s*)"?${name}"?:`, "m").exec(template);
  if (!start) return "";
  const rest = template.slice(start.index + start[0].length);
  const end = new RegExp(`\\n {0,${start[1]?.replace(/\n/g, "").length ?? 0}}["A-Za-z]`).exec(rest);
  return /^\s*\{?\s*"?Type"?:\s*["']?([\w:]+)/m.exec(end ? rest.slice(0, end.index) : rest)?.[1] ?? "";
}

export interface Choice {
  label: string;
  detail: string;
  info: string;
  kind: "key" | "value";
}

/** The possible values at a place of a template. */
export function choices(place: Place, template: string): Choice[] {
  const { path, kind, key } = place;
  const reference = /!(?:Ref|GetAtt)\s+[\w.:]*$|\$\{[\w.:]*$/.exec(place.prefix);
  if (reference || (kind === "value" && (key === "Ref" || key === "Fn::GetAtt"))) {
    const named = resources(template).map(({ name, type }) => ({ label: name, detail: type, info: "", kind: "value" as const }));
    const others = parameters(template).map((label) => ({ label, detail: "parameter", info: "", kind: "value" as const }));
    const pseudo = PSEUDO.map((name) => ({ label: `AWS::${name}`, detail: "", info: "", kind: "value" as const }));
    return [...named, ...others, ...pseudo];
  }
  if (path.length === 0) {
    if (kind === "key") {
      return [{ label: "Transform", detail: "EcsExecRole", info: "Calls the macro when the stack is deployed.", kind: "key" }];
    }
    if (key === "Transform") return [{ label: "EcsExecRole", detail: "macro", info: "", kind: "value" }];
    return [];
  }
  if (path[0] !== "Resources" || path[2] !== "Properties") return [];
  const type = typeOf(template, path[1] ?? "");
  const start = DEFINITIONS.includes(type) ? "definition" : type === ROLE ? "role" : "";
  if (!start) return [];
  const rest = path.slice(3);
  if (kind === "value") rest.push(...(key ? [key] : []));
  if (rest.length === 0) {
    const info = definitions[start]?.description ?? "";
    return [{ label: PROPERTY, detail: "EcsExecRole", info, kind: "key" }];
  }
  if (rest[0] !== PROPERTY) return [];
  let nodes = expanded(definitions[start]);
  for (const step of rest.slice(1)) nodes = below(nodes, step);
  const found = new Map<string, Choice>();
  if (kind === "key") {
    for (const node of nodes) {
      for (const [name, child] of Object.entries(node.properties ?? {})) {
        if (name === "Ref") continue;
        const all = expanded(child);
        const info = all.find((each) => each.description)?.description ?? "";
        const list = all.some((each) => each.type === "array");
        found.set(name, { label: name, detail: list ? "list" : "", info, kind: "key" });
      }
    }
  }
  if (kind === "value" || rest.at(-1) === "*") {
    for (const node of nodes) {
      for (const value of [...(node.enum ?? []), ...(node.const === undefined ? [] : [node.const])]) {
        if (typeof value === "string" && ["true", "false", "AWS::NoValue"].includes(value)) continue;
        found.set(String(value), { label: String(value), detail: typeof value === "boolean" ? "boolean" : "", info: "", kind: "value" });
      }
    }
    if (rest.at(-2) === "TaskDefinitions") {
      for (const { name, type: own } of resources(template)) {
        if (DEFINITIONS.includes(own)) found.set(name, { label: name, detail: own, info: "", kind: "value" });
      }
    }
  }
  return [...found.values()];
}

/** CodeMirror's source of completions. `json` says which of the two forms the template has. */
export function source(json: () => boolean) {
  return (context: CompletionContext): CompletionResult | null => {
    const template = context.state.doc.toString();
    const before = template.slice(0, context.pos);
    const place = json() ? jsonPlace(before) : yamlPlace(before);
    if (!place) return null;
    const word = /[\w:]*$/.exec(place.prefix)?.[0] ?? "";
    const listed = choices(place, template);
    if (!listed.length || (!word && !context.explicit && place.kind === "key")) return null;
    const options = listed.map(
      (choice): Completion => ({
        label: choice.label,
        detail: choice.detail,
        info: choice.info || undefined,
        type: choice.kind === "key" ? "property" : "constant",
        apply: applied(choice, place, json()),
      }),
    );
    return { from: context.pos - word.length, options, validFor: /^[\w:]*$/ };
  };
}

function applied(choice: Choice, place: Place, json: boolean): (view: EditorView, it: Completion, from: number, to: number) => void {
  return (view, _, from, to) => {
    const literal = ["true", "false"].includes(choice.label);
    let text = choice.label;
    if (json && !place.quoted && !literal) text = `"${text}"`;
    if (choice.kind === "key" && !json) text += choice.label === PROPERTY ? ": Auto" : choice.label === "Transform" ? ": EcsExecRole" : ":";
    view.dispatch(insertCompletionText(view.state, text, from, to));
  };
}
