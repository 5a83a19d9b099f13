/** What is built into the page: the schema, and the examples of the repository. */

import batch from "../../examples/batch-job.yaml";
import key from "../../examples/customer-key.yaml";
import cache from "../../examples/pull-through-cache.yaml";
import pipeline from "../../examples/role-for-a-pipeline.yaml";
import sharedRole from "../../examples/shared-role.yaml";
import web from "../../examples/web-service.yaml";
import firelens from "../../examples/worker-firelens.yaml";
import handWritten from "../../docs/hand-written.yaml";
import templateSchema from "../../editors/ecs-exec-role.schema.json";
import start from "../examples/start.yaml";
import mistakes from "../examples/mistakes.yaml";

export const schema = templateSchema as { definitions: Record<string, unknown> };

export interface Example {
  id: string;
  title: string;
  text: string;
}

export const EXAMPLES: Example[] = [
  { id: "start", title: "A small template", text: start },
  { id: "web-service", title: "A web service on Fargate", text: web },
  { id: "hand-written", title: "A hand-written role to replace", text: handWritten },
  { id: "mistakes", title: "A template with mistakes", text: mistakes },
  { id: "worker-firelens", title: "A worker with FireLens and files", text: firelens },
  { id: "batch-job", title: "An AWS Batch job", text: batch },
  { id: "customer-key", title: "A customer managed key", text: key },
  { id: "pull-through-cache", title: "A pull-through cache", text: cache },
  { id: "shared-role", title: "One role for two tasks", text: sharedRole },
  { id: "role-for-a-pipeline", title: "A role for a pipeline", text: pipeline },
];

export interface Guardrail {
  /** The name of the macro's setting, without its prefix. */
  name: string;
  title: string;
  about: string;
  /** What the switch sets; the field can change it, unless the setting has no other value. */
  value: string;
  choices?: { value: string; title: string }[];
  fixed?: boolean;
  label?: string;
}

export const GUARDRAILS: Guardrail[] = [
  {
    name: "ACCOUNTS",
    title: "Only allowed accounts",
    about: "Every resource in a role must be in the account of the stack, or in one of these.",
    value: "self",
    label: "Allowed accounts",
  },
  {
    name: "REGIONS",
    title: "Only allowed regions",
    about: "Every resource in a role must be in the region of the stack, or in one of these.",
    value: "self",
    label: "Allowed regions",
  },
  {
    name: "STATEMENTS",
    title: "No statements of the author",
    about: "A spec may not have Statements, or only some actions.",
    value: "false",
    label: "false, or the allowed actions",
  },
  {
    name: "MANAGED_POLICIES",
    title: "No managed policies",
    about: "A spec may not attach managed policies, or only some. This includes Starter.",
    value: "false",
    label: "false, or the allowed ARNs",
  },
  {
    name: "PERMISSIONS_BOUNDARY",
    title: "Permissions boundary",
    about: "Every role gets this managed policy as its boundary.",
    value: "ecs-boundary",
    label: "Name or ARN of the policy",
  },
  {
    name: "PATH",
    title: "Role path",
    about: "The path of every role begins with this.",
    value: "/ecs/",
    label: "Path",
  },
  {
    name: "NAME_PREFIX",
    title: "Role name prefix",
    about: "The name of every role that has a name begins with this.",
    value: "ecs-",
    label: "Prefix",
  },
  {
    name: "TAGS",
    title: "Required tags",
    about: "Every role must have these tags; Key=Value adds a tag.",
    value: "team=platform",
    label: "Tags, separated by commas",
  },
  {
    name: "PREFLIGHT",
    title: "Check at deployment",
    about: "A custom resource checks every role before a service starts.",
    value: "true",
    label: "If the check fails",
    choices: [
      { value: "true", title: "The deployment fails" },
      { value: "Warn", title: "A warning is written" },
    ],
  },
];
