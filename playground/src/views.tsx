/** The parts of the page beside the editor. All text comes from the template or the engine, and Preact escapes it. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { GUARDRAILS, type Guardrail } from "./data";
import { Viewer } from "./editor";
import type { Answer, Audit, Finding, Grant, Parameter, Problem, Role } from "./types";

export interface Lines {
  /** Shows the line in the template and moves the cursor there. */
  go: (line: number, column?: number) => void;
  /** Marks lines while the pointer or the focus is on what needs them. */
  light: (lines: number[]) => void;
  /** The line of the cursor. */
  current: number;
}

export const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? "" : "s"}`;

function LineLink({ line, lines, column }: { line: number; lines: Lines; column?: number }) {
  return (
    <button type="button" class="line" onClick={() => lines.go(line, column)}>
      line {line}
    </button>
  );
}

/** Text in which a part between backquotes is code. */
function Prose({ text }: { text: string }) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) return <>{text}</>;
  return <>{parts.map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</>;
}

/** A name that can break after the separators of an ARN or a path. */
function Long({ text }: { text: string }) {
  return <>{text.split(/(?<=[:/.}])/).flatMap((part, index) => (index ? [<wbr key={index} />, part] : [part]))}</>;
}

function Docs({ url, about }: { url: string; about: string }) {
  if (!url) return null;
  return (
    <a class="docs" href={url} target="_blank" rel="noreferrer">
      AWS docs<span class="hidden"> on {about} (opens a new tab)</span>
    </a>
  );
}

function When({ text }: { text: string }) {
  return text ? <span class="when">only if {text}</span> : null;
}

/** A message of the engine as a sentence; a message that begins with the name of an action is not changed. */
function sentence(text: string): string {
  return /^[a-z]+[ ,;]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

/** The parameter whose value a message requests. */
function asked(problem: Problem): string {
  return /--parameter (\w+)=/.exec(problem.fix)?.[1] ?? "";
}

export function Problems({
  problems,
  title,
  lines,
  kind,
  onParameter,
}: {
  problems: Problem[];
  title: string;
  lines: Lines;
  kind: string;
  onParameter?: (name: string) => void;
}) {
  if (!problems.length) return null;
  return (
    <section class={`box ${kind}`}>
      <h2>{title}</h2>
      <ul class="plain">
        {problems.map((problem) => (
          <li key={`${problem.path}${problem.what}${problem.line}`}>
            <LineLink line={problem.line} column={problem.column} lines={lines} />{" "}
            <span class="what">
              <Prose text={sentence(problem.what)} />
            </span>
            {onParameter && asked(problem) ? (
              <span class="fix">
                <button type="button" class="line" onClick={() => onParameter(asked(problem))}>
                  Give {asked(problem)} a value
                </button>{" "}
                in Settings.
              </span>
            ) : (
              <span class="fix">
                <Prose text={sentence(problem.fix)} />
              </span>
            )}
            {problem.path && (
              <code class="path">
                <Long text={problem.path} />
              </code>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Statement({ grant, lines }: { grant: Grant; lines: Lines }) {
  const own = grant.resources.flatMap((resource) => resource.reasons.map((reason) => reason.line));
  const lit = own.includes(lines.current);
  return (
    <article
      class={`statement${lit ? " lit" : ""}`}
      onMouseEnter={() => lines.light(own)}
      onMouseLeave={() => lines.light([])}
      onFocusCapture={() => lines.light(own)}
      onBlurCapture={() => lines.light([])}
    >
      <div class="top">
        <h3>
          {grant.title} {grant.sid && <span class="sid">{grant.sid}</span>} <When text={grant.when} />
        </h3>
        <Docs url={grant.docs} about={grant.title} />
      </div>
      <p class="actions">
        {grant.actions.map((action) => (
          <code key={action}>{action}</code>
        ))}
      </p>
      <ul class="resources">
        {grant.resources.map((resource) => (
          <li key={resource.arn + resource.context}>
            <code class="arn">
              <Long text={resource.arn} />
            </code>
            {resource.context && (
              <span class="context">
                {" "}
                for <code><Long text={resource.context} /></code>
              </span>
            )}
            <ul class="plain reasons">
              {resource.reasons.map((reason) => (
                <li key={reason.path + reason.when}>
                  <LineLink line={reason.line} lines={lines} /> <span>{reason.who}</span>{" "}
                  <span class="quiet">
                    <Long text={reason.what} />
                  </span>{" "}
                  <When text={reason.when} />
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      {grant.conditions.map((condition) => (
        <p class="condition" key={condition}>
          <span class="quiet">where</span> <code><Long text={condition} /></code>
        </p>
      ))}
      {grant.apart && <p class="quiet">In a policy of its own, because in the role it would create a circular dependency.</p>}
    </article>
  );
}

function sentences(role: Role): string {
  const compared = role.comparison;
  const parts: string[] = [];
  if (compared.on_named_resources.length) {
    parts.push(`${compared.on_named_resources.length} of these on ${count(compared.resources, "named resource")} only`);
  }
  const every = compared.on_every_resource.length;
  if (every) parts.push(every === 1 ? "1 on all, because it takes no resource" : `${every} on all`);
  if (compared.not_granted.length && parts.length) parts.push(`${compared.not_granted.length} not at all`);
  const last = parts.pop();
  const listed = last === undefined ? "none of these" : parts.length ? `${parts.join(", ")} and ${last}` : last;
  return `${compared.policy} allows ${compared.policy_actions} actions, each on every resource of the account. This role allows ${listed}.`;
}

function OneRole({ role, lines }: { role: Role; lines: Lines }) {
  const actions = new Set(role.statements.flatMap((statement) => statement.actions));
  return (
    <section class="role" aria-label={role.role}>
      <h2>
        {role.role} {role.definitions.length > 0 && <span class="for">for {role.definitions.join(", ")}</span>}{" "}
        <LineLink line={role.line} lines={lines} />
      </h2>
      {role.when && <p><When text={role.when} /></p>}
      {role.starter ? (
        <p>
          Starter: the managed policy <code>{role.comparison.policy}</code> is attached, and nothing else.
        </p>
      ) : (
        <>
          <p class="sum">
            <strong>
              {count(role.statements.length, "statement")}, {count(actions.size, "action")}.
            </strong>{" "}
            {sentences(role)}
            {role.comparison.further.length > 0 && (
              <>
                {" "}
                It also allows what that policy lacks and this task needs:{" "}
                {role.comparison.further.map((action, index) => (
                  <span key={action}>
                    {index > 0 && ", "}
                    <code>{action}</code>
                  </span>
                ))}
                .
              </>
            )}
          </p>
          {role.statements.map((grant, index) => (
            <Statement key={grant.sid + index} grant={grant} lines={lines} />
          ))}
          {role.statements.length > 0 && (
            <div class="tools">
              <Copy text={`${JSON.stringify(role.policy, null, 2)}\n`} title="Copy the policy as JSON" />
            </div>
          )}
          {!role.statements.length && <p class="quiet">The tasks start without any permission.</p>}
        </>
      )}
      {role.warnings.length > 0 && (
        <section class="box warn">
          <h3>May be missing</h3>
          <ul class="plain">
            {role.warnings.map((warning) => (
              <li key={warning.text}>
                <LineLink line={warning.line} lines={lines} /> <Prose text={sentence(warning.text)} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {role.left_out.length > 0 && (
        <section class="box">
          <h3>Left out, and why</h3>
          <ul class="plain">
            {role.left_out.map((note) => (
              <li
                key={note.path + note.text}
                onMouseEnter={() => lines.light([note.line])}
                onMouseLeave={() => lines.light([])}
              >
                <LineLink line={note.line} lines={lines} /> <span>{note.who}</span>{" "}
                <span class="quiet">{note.what}</span> <When text={note.when} />
                <span class="fix">
                  <Prose text={sentence(note.text)} /> <Docs url={note.docs} about={note.what} />
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {role.starting && (
        <section class="box">
          <h3>What starts these tasks must be allowed to pass the role</h3>
          {role.starting.starters.length > 0 && <p class="small">In this template: {role.starting.starters.join(", ")}.</p>}
          <details>
            <summary>The statement for its policy</summary>
            <pre tabIndex={0}>{JSON.stringify(role.starting.statement, null, 2)}</pre>
          </details>
          <Docs url={role.starting.docs} about="iam:PassRole" />
        </section>
      )}
      {role.owners.length > 0 && (
        <section class="box">
          <h3>What the owners of other accounts must grant</h3>
          <ul class="plain">
            {role.owners.map((owner) => (
              <li key={owner.resource + owner.text}>
                <code class="arn"><Long text={owner.resource} /></code>
                <span class="fix">
                  {owner.account ? `Account ${owner.account}: ` : ""}
                  <Prose text={owner.text} /> <Docs url={owner.docs} about={owner.kind} />
                </span>
                <details>
                  <summary>The statement in CloudFormation</summary>
                  <pre tabIndex={0}>{owner.snippet}</pre>
                </details>
              </li>
            ))}
          </ul>
        </section>
      )}
    </section>
  );
}

export function Roles({ answer, lines, stale, onAdd }: { answer: Answer; lines: Lines; stale: boolean; onAdd?: () => void }) {
  const report = answer.report;
  if (!report) return null;
  if (!report.roles.length) {
    return (
      <div class="empty">
        <h2>There is no role to write</h2>
        <p>
          The template has no ECS task definition, daemon task definition, Express Gateway service or AWS Batch job
          definition whose containers ECS starts. Paste a template that has one, or choose an example.
        </p>
      </div>
    );
  }
  const assumed = report.roles.some((role) => role.assumed);
  return (
    <div class={stale ? "stale" : ""}>
      {assumed && (
        <div class="box note">
          <p>
            The template has no <code>ExecutionRoleSpec</code> yet. This is the role that <code>ExecutionRoleSpec: Auto</code>{" "}
            would make. Guardrails are not applied to it.
          </p>
          {onAdd && (
            <button type="button" onClick={onAdd}>
              See what changes
            </button>
          )}
        </div>
      )}
      {report.defaults.length > 0 && (
        <p class="quiet small">
          {report.defaults.length === 1 ? "The default of the parameter " : "The defaults of the parameters "}
          {report.defaults.join(", ")} {report.defaults.length === 1 ? "is" : "are"} used. Set other values in Settings.
        </p>
      )}
      {report.roles.map((role, index) => (
        <OneRole key={role.role + index} role={role} lines={lines} />
      ))}
    </div>
  );
}

export function Copy({ text, title = "Copy" }: { text: string; title?: string }) {
  const [state, setState] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("Copied");
    } catch {
      setState("The browser did not allow it");
    }
    window.setTimeout(() => setState(""), 2500);
  };
  return (
    <>
      <button type="button" onClick={copy}>
        {state || title}
      </button>
      <span class="hidden" role="status">
        {state}
      </span>
    </>
  );
}

function save(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function Expanded({
  text,
  name,
  form,
  onForm,
  stale,
}: {
  text: string | null;
  name: string;
  form: "yaml" | "json";
  onForm: (form: "yaml" | "json") => void;
  stale: boolean;
}) {
  const place = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!place.current || text === null) return undefined;
    const viewer = new Viewer(place.current, text, "Expanded template");
    return () => viewer.view.destroy();
  }, [text]);
  if (text === null) {
    return (
      <div class="empty">
        <h2>Nothing to expand</h2>
        <p>
          The template has no <code>ExecutionRoleSpec</code>, so the macro does not change it. The tab Compare shows how to
          add one.
        </p>
      </div>
    );
  }
  const stem = name.replace(/\.(ya?ml|json|template)$/i, "");
  return (
    <div class={`fill${stale ? " stale" : ""}`}>
      <div class="tools">
        <p class="quiet small grow">What CloudFormation deploys: the bytes that <code>ecs-exec-role expand</code> writes.</p>
        <label class="hidden" for={id}>
          Format
        </label>
        <select id={id} value={form} onChange={(event) => onForm(event.currentTarget.value as "yaml" | "json")}>
          <option value="yaml">YAML</option>
          <option value="json">JSON</option>
        </select>
        <Copy text={`${text}${text.endsWith("\n") ? "" : "\n"}`} />
        <button type="button" onClick={() => save(`${stem}.expanded.${form}`, `${text}${text.endsWith("\n") ? "" : "\n"}`)}>
          Download
        </button>
      </div>
      <div class="code" ref={place} />
    </div>
  );
}

const KINDS: { kind: Finding["kind"]; title: string; about: string }[] = [
  { kind: "lacking", title: "Lacking", about: "A task does not start without this." },
  { kind: "excess", title: "Excess", about: "No task needs this to start." },
  { kind: "too-wide", title: "Too wide", about: "More is allowed than is needed." },
  { kind: "unknown", title: "Cannot tell", about: "The template does not show it." },
];

export function Compare({
  audit,
  waiting,
  onApply,
  onExample,
  lines,
}: {
  audit: Audit | null;
  waiting: boolean;
  onApply: (text: string) => void;
  onExample: () => void;
  lines: Lines;
}) {
  if (!audit) return waiting ? <p class="quiet">Comparing…</p> : null;
  if (!audit.audits.length) {
    return (
      <div class="empty">
        <h2>There is no hand-written role to compare</h2>
        <p>
          Paste a template whose task definition names an <code>AWS::IAM::Role</code> in <code>ExecutionRoleArn</code>. The
          page then shows what that role lacks, what it does not need, and the change that replaces it with one line.
        </p>
        <button type="button" onClick={onExample}>
          Open an example
        </button>
      </div>
    );
  }
  const migration = audit.migration;
  return (
    <>
      {audit.audits.map((one) => (
        <section class="role" key={one.path + one.role}>
          <h2>
            {one.role || "No execution role"}{" "}
            {one.definitions.length > 0 && <span class="for">for {one.definitions.join(", ")}</span>}{" "}
            <LineLink line={one.line} lines={lines} />
          </h2>
          {!one.findings.length && <p>The role has what its tasks need to start, and nothing else.</p>}
          {KINDS.map(({ kind, title, about }) => {
            const found = one.findings.filter((finding) => finding.kind === kind);
            if (!found.length) return null;
            return (
              <section class={`box ${kind}`} key={kind}>
                <h3>
                  {title} <span class="quiet small">{about}</span>
                </h3>
                <ul class="plain">
                  {found.map((finding) => (
                    <li
                      key={finding.path + finding.what}
                      onMouseEnter={() => lines.light([finding.line, ...finding.needed_in_lines])}
                      onMouseLeave={() => lines.light([])}
                    >
                      <LineLink line={finding.line} column={finding.column} lines={lines} />{" "}
                      <span class="what"><Prose text={sentence(finding.what)} /></span>
                      <span class="fix"><Prose text={sentence(finding.fix)} /></span>
                    </li>
                  ))}
                </ul>
              </section>
            );
          })}
        </section>
      ))}
      {migration && <Change migration={migration} onApply={onApply} lines={lines} />}
    </>
  );
}

function Change({ migration, onApply, lines }: { migration: NonNullable<Audit["migration"]>; onApply: (text: string) => void; lines: Lines }) {
  return (
    <section class="role" aria-label="The change">
      <h2>The change</h2>
      <Problems problems={migration.left} title="Left as it is" lines={lines} kind="note" />
      {migration.diff.length > 0 && (
        <>
          <p>
            One line replaces each role. Everything else stays as you wrote it.
            {migration.defaults.length > 0 &&
              ` This uses the default of ${migration.defaults.join(", ")}; the macro sees the values at deployment.`}
          </p>
          <div class="tools">
            <button type="button" class="main" onClick={() => onApply(migration.text)}>
              Apply to the template
            </button>
            <Copy text={`${migration.diff.join("\n")}\n`} title="Copy the diff" />
          </div>
          <div class="diff" role="region" aria-label="Difference, line by line" tabindex={0}>
            {migration.diff.map((line, index) => {
              const mark = line[0] ?? " ";
              const kind = line.startsWith("@@") ? "at" : mark === "+" ? "plus" : mark === "-" ? "minus" : "same";
              return (
                <div class={kind} key={index}>
                  {kind === "plus" && <span class="hidden">added: </span>}
                  {kind === "minus" && <span class="hidden">removed: </span>}
                  {line || " "}
                </div>
              );
            })}
          </div>
        </>
      )}
      {!migration.diff.length && !migration.left.length && <p class="quiet">There is nothing to change.</p>}
    </section>
  );
}

export interface Stack {
  region: string;
  account: string;
  parameters: Record<string, string>;
  guardrails: Record<string, string>;
}

export function Settings({
  stack,
  answer,
  onChange,
}: {
  stack: Stack;
  answer: Answer | null;
  onChange: (stack: Stack) => void;
}) {
  const id = useId();
  const parameters = answer?.parameters ?? [];
  const active = Object.keys(stack.guardrails).length;
  return (
    <form class="settings" onSubmit={(event) => event.preventDefault()}>
      <section>
        <h2>Guardrails</h2>
        <p class="quiet">
          What the owner of the macro demands of every role, whatever a template says.{" "}
          {active ? `${count(active, "guardrail")} on.` : "All are off."}
        </p>
        {GUARDRAILS.map((guardrail) => (
          <Switch
            key={guardrail.name}
            guardrail={guardrail}
            value={stack.guardrails[guardrail.name]}
            error={answer?.settings[guardrail.name]}
            onChange={(value) => {
              const { [guardrail.name]: _, ...rest } = stack.guardrails;
              onChange({ ...stack, guardrails: value === undefined ? rest : { ...rest, [guardrail.name]: value } });
            }}
          />
        ))}
      </section>
      <section>
        <h2>The stack</h2>
        <div class="fields">
          <Field
            id={`${id}region`}
            label="Region"
            value={stack.region}
            placeholder="us-east-1"
            pattern="[a-z]{2,}(-[a-z]+)+-[0-9]+"
            help="Write a region such as eu-central-1."
            onChange={(region) => onChange({ ...stack, region })}
          />
          <Field
            id={`${id}account`}
            label="Account"
            value={stack.account}
            placeholder="123456789012"
            pattern="[0-9]{12}"
            help="Write the 12 digits of an account."
            onChange={(account) => onChange({ ...stack, account })}
          />
        </div>
      </section>
      <section>
        <h2>Parameters</h2>
        {!parameters.length && <p class="quiet">The template has no parameters.</p>}
        <div class="fields">
          {parameters.map((parameter) => (
            <ParameterField
              key={parameter.name}
              id={`${id}p${parameter.name}`}
              parameter={parameter}
              value={stack.parameters[parameter.name] ?? ""}
              onChange={(value) => onChange({ ...stack, parameters: { ...stack.parameters, [parameter.name]: value } })}
            />
          ))}
        </div>
      </section>
    </form>
  );
}

function Switch({
  guardrail,
  value,
  error,
  onChange,
}: {
  guardrail: Guardrail;
  value: string | undefined;
  error: string | undefined;
  onChange: (value: string | undefined) => void;
}) {
  const id = useId();
  const on = value !== undefined;
  return (
    <div class={`switch${on ? " on" : ""}`}>
      <label class="toggle" for={id}>
        <input
          id={id}
          type="checkbox"
          role="switch"
          checked={on}
          aria-describedby={`${id}about`}
          onChange={(event) => onChange(event.currentTarget.checked ? guardrail.value : undefined)}
        />
        <span class="knob" aria-hidden="true" />
        <span class="title">{guardrail.title}</span>
      </label>
      <p id={`${id}about`} class="quiet">
        {guardrail.about}
      </p>
      {on && (
        <div class="value">
          <label for={`${id}value`}>{guardrail.label}</label>
          {guardrail.choices ? (
            <select id={`${id}value`} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
              {guardrail.choices.map((choice) => (
                <option key={choice.value} value={choice.value}>
                  {choice.title}
                </option>
              ))}
            </select>
          ) : (
            <input
              id={`${id}value`}
              type="text"
              spellcheck={false}
              autocapitalize="off"
              value={value}
              aria-invalid={Boolean(error)}
              aria-describedby={error ? `${id}error` : undefined}
              onInput={(event) => onChange(event.currentTarget.value)}
            />
          )}
          {error && (
            <p class="error" id={`${id}error`}>
              <Prose text={error} />
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function Field({
  id,
  label,
  value,
  placeholder,
  pattern,
  help,
  onChange,
}: {
  id: string;
  label: ComponentChildren;
  value: string;
  placeholder: string;
  pattern: string;
  help: string;
  onChange: (value: string) => void;
}) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const good = (said: string) => !said || new RegExp(`^(?:${pattern})$`).test(said);
  const wrong = !good(text);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        spellcheck={false}
        autocapitalize="off"
        value={text}
        placeholder={placeholder}
        aria-invalid={wrong}
        aria-describedby={wrong ? `${id}help` : undefined}
        onInput={(event) => {
          setText(event.currentTarget.value);
          if (good(event.currentTarget.value)) onChange(event.currentTarget.value);
        }}
      />
      {wrong && (
        <p class="error" id={`${id}help`}>
          {help}
        </p>
      )}
    </div>
  );
}

function ParameterField({
  id,
  parameter,
  value,
  onChange,
}: {
  id: string;
  parameter: Parameter;
  value: string;
  onChange: (value: string) => void;
}) {
  const fallback = parameter.default === null ? "No value" : `Default: ${parameter.default || "empty"}`;
  return (
    <div class="field">
      <label for={id}>
        {parameter.name} <span class="quiet small">{parameter.type}</span>
      </label>
      {parameter.values.length ? (
        <select
          id={id}
          data-parameter={parameter.name}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          <option value="">{fallback}</option>
          {parameter.values.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          data-parameter={parameter.name}
          type="text"
          spellcheck={false}
          autocapitalize="off"
          value={value}
          placeholder={fallback}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
      {parameter.about && <p class="quiet small">{parameter.about}</p>}
    </div>
  );
}
