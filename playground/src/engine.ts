/** Sends requests to the engine in its thread; of several waiting requests, only the last is sent. */

import type { Question, Reply } from "./worker";

export type Stage = "python" | "engine" | "ready" | "failed";

/** If the engine works longer than this on a template, it is stopped and started again. */
const PATIENCE = 20_000;

export class Unanswered extends Error {}

interface Waiting {
  question: Question;
  done: (text: string) => void;
  failed: (error: Error) => void;
}

export class Engine {
  #worker!: Worker;
  #number = 0;
  #asked: Waiting | null = null;
  #next = new Map<string, Waiting>();
  #timer = 0;
  #ready = false;
  milliseconds = 0;

  constructor(
    private readonly url: string,
    private readonly onStage: (stage: Stage, why?: string) => void,
  ) {
    this.start();
  }

  start(): void {
    this.#ready = false;
    this.#worker = new Worker(this.url, { type: "module" });
    this.#worker.onmessage = (event: MessageEvent<Reply>) => this.#heard(event.data);
    this.#worker.onerror = (event) => this.#broken(event.message || "the worker could not be loaded");
  }

  /** Drops waiting requests, for example when another template is shown. */
  ask(call: Question["call"], request: unknown): Promise<string> {
    return new Promise((done, failed) => {
      const question = { id: ++this.#number, call, text: JSON.stringify(request) };
      this.#next.get(call)?.failed(new Unanswered("a newer question was asked"));
      this.#next.set(call, { question, done, failed });
      this.#send();
    });
  }

  #send(): void {
    if (this.#asked) return;
    const next = this.#next.get("answer") ?? this.#next.get("audit");
    if (!next) return;
    this.#next.delete(next.question.call);
    this.#asked = next;
    this.#worker.postMessage(next.question);
    if (this.#ready) this.#watch();
  }

  #watch(): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      const asked = this.#asked;
      this.#asked = null;
      this.#worker.terminate();
      this.start();
      const seconds = PATIENCE / 1000;
      asked?.failed(new Error(`The engine did not answer within ${seconds} seconds, and was started again.`));
    }, PATIENCE);
  }

  #heard(reply: Reply): void {
    if ("stage" in reply) {
      this.#ready = reply.stage === "ready";
      this.onStage(reply.stage);
      if (this.#ready && this.#asked) this.#watch();
      else if (this.#ready) this.#send();
      return;
    }
    if ("failed" in reply) return this.#broken(reply.failed);
    window.clearTimeout(this.#timer);
    const asked = this.#asked;
    this.#asked = null;
    if (asked && asked.question.id === reply.id) {
      if ("error" in reply) asked.failed(new Error(reply.error));
      else {
        if (asked.question.call === "answer") this.milliseconds = reply.milliseconds;
        asked.done(reply.text);
      }
    }
    this.#send();
  }

  #broken(why: string): void {
    window.clearTimeout(this.#timer);
    this.#worker.terminate();
    const waiting = [this.#asked, ...this.#next.values()];
    this.#asked = null;
    this.#next.clear();
    for (const each of waiting) each?.failed(new Unanswered(why));
    this.onStage("failed", why);
  }
}
