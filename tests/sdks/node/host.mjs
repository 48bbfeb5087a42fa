// Runs the programs that it is asked for: a line of JSON in, a line of JSON out, one at a time.
import { createInterface } from "node:readline";
import { ask } from "./ask.mjs";
import * as examples from "./examples.mjs";
import * as manners from "./manners.mjs";

const programs = { ask, ...examples, ...manners };

for await (const line of createInterface({ input: process.stdin })) {
  const { program, argument } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await programs[program](argument)) ?? null };
  } catch (error) {
    answer = { error: `${error.stack ?? error}\n${JSON.stringify(error)}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
