/** The requests of the page to the engine, and the answers; `answer.py` describes both. */

export interface Request {
  text: string;
  name: string;
  region: string;
  account: string;
  parameters: Record<string, string>;
  guardrails: Record<string, string>;
  form: "yaml" | "json";
}

export interface Problem {
  line: number;
  column: number;
  path: string;
  what: string;
  fix: string;
  code: string;
}

export interface Reason {
  path: string;
  line: number;
  who: string;
  what: string;
  value: string;
  when: string;
}

export interface Grant {
  sid: string;
  feature: string;
  title: string;
  docs: string;
  actions: string[];
  resources: { arn: string; context: string; reasons: Reason[] }[];
  conditions: string[];
  when: string;
  apart: boolean;
}

export interface LeftOut {
  path: string;
  line: number;
  who: string;
  what: string;
  text: string;
  docs: string;
  when: string;
}

export interface Role {
  role: string;
  path: string;
  line: number;
  definitions: string[];
  assumed: boolean;
  starter: boolean;
  when: string;
  statements: Grant[];
  left_out: LeftOut[];
  warnings: { path: string; line: number; text: string }[];
  comparison: {
    policy: string;
    policy_actions: number;
    on_every_resource: string[];
    on_named_resources: string[];
    not_granted: string[];
    further: string[];
    resources: number;
  };
  policy: Record<string, unknown>;
  starting: { statement: Record<string, unknown>; starters: string[]; docs: string } | null;
  owners: { account: string; resource: string; kind: string; text: string; snippet: string; docs: string }[];
}

export interface Parameter {
  name: string;
  type: string;
  default: string | null;
  values: string[];
  about: string;
}

export interface Answer {
  problems: Problem[];
  warnings: Problem[];
  settings: Record<string, string>;
  report: { template: string; roles: Role[]; defaults: string[] } | null;
  expanded: string | null;
  parameters: Parameter[];
}

export interface Finding {
  code: string;
  kind: "lacking" | "excess" | "too-wide" | "unknown";
  path: string;
  line: number;
  column: number;
  what: string;
  fix: string;
  needed_in_lines: number[];
}

export interface Audit {
  audits: { role: string; path: string; line: number; definitions: string[]; needs: number; findings: Finding[] }[];
  migration: { text: string; diff: string[]; roles: string[]; left: Problem[]; defaults: string[] } | null;
}
