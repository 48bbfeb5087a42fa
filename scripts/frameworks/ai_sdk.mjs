// The Vercel AI SDK on Slipstream: each provider's `baseURL`, with /v1, and `apiKey` are all that
// differs. scripts/try-frameworks runs it where constraints/frameworks/ai_sdk is installed.
import { createRequire } from "node:module";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createCerebras } from "@ai-sdk/cerebras";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

const QUESTION = "What is the capital of France, and what is it known for?";
const WEATHER_QUESTION = "What is the weather in Paris?";
const PERSON_TEXT = "Anna is three years old.";

const access = {
  baseURL: `${process.env.SLIPSTREAM_URL}/v1`,
  apiKey: process.env.SLIPSTREAM_KEY,
};
const openai = createOpenAI(access);
const anthropic = createAnthropic(access);
const cerebras = createCerebras(access);
const compatible = createOpenAICompatible({
  ...access,
  name: "slipstream",
  includeUsage: true,
  supportsStructuredOutputs: true,
});

const ways = {
  "openai (Responses)": (model) => openai(model),
  "openai.chat": (model) => openai.chat(model),
  anthropic: (model) => anthropic(model),
  "openai-compatible": (model) => compatible(model),
  cerebras: (model) => cerebras(model),
};

const getWeather = tool({
  description: "Tell what the weather in a city is.",
  inputSchema: z.object({ city: z.enum(["Paris", "Rome"]) }),
  execute: async ({ city }) => `It is sunny in ${city}.`,
});
const person = z.object({ name: z.enum(["Anna", "Bert"]), age: z.number().int() });

async function chat(model, settings) {
  const { text, usage } = await generateText({ model, prompt: QUESTION, ...settings });
  return { text, usage };
}

async function stream(model, settings) {
  const failures = [];
  const answer = streamText({
    model,
    prompt: QUESTION,
    ...settings,
    onError: ({ error }) => failures.push(error),
  });
  const pieces = [];
  for await (const piece of answer.textStream) pieces.push(piece);
  if (failures.length) throw failures[0];
  return { pieces, usage: await answer.usage };
}

function round(model, settings, isForced) {
  return {
    model,
    prompt: WEATHER_QUESTION,
    ...settings,
    tools: { getWeather },
    prepareStep: ({ stepNumber }) => ({
      toolChoice: isForced && stepNumber === 0 ? "required" : "auto",
    }),
    stopWhen: isStepCount(3),
  };
}

function resultsOf(steps) {
  return steps.flatMap((step) => step.toolResults.map((result) => result.output));
}

async function tools(...asked) {
  const { steps, text } = await generateText(round(...asked));
  return { results: resultsOf(steps), text };
}

async function streamedTools(...asked) {
  const failures = [];
  const onError = ({ error }) => failures.push(error);
  const answer = streamText({ ...round(...asked), onError });
  await answer.consumeStream();
  if (failures.length) throw failures[0];
  return { results: resultsOf(await answer.steps), text: await answer.text };
}

async function structured(model, settings) {
  const answer = await generateText({
    model,
    prompt: PERSON_TEXT,
    ...settings,
    output: Output.object({ schema: person }),
  });
  return { person: answer.output };
}

const steps = { chat, stream, tools, "streamed tools": streamedTools, structured };

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function outcome(open, run, target) {
  const { max_tokens: maxOutputTokens, ...others } = target.settings;
  const settings = { maxOutputTokens, ...others };
  try {
    return { value: await run(open(target.model), settings, target.is_forced) };
  } catch (error) {
    const body = error.responseBody ? ` ${error.responseBody}` : "";
    return { error: `${error.name}: ${error.message}${body}`, trace: error.stack };
  }
}

const require = createRequire(import.meta.url);
const packages = [
  "ai",
  "@ai-sdk/openai",
  "@ai-sdk/anthropic",
  "@ai-sdk/openai-compatible",
  "@ai-sdk/cerebras",
];
const versions = packages.map((name) => [name, require(`${name}/package.json`).version]);
tell({ versions: { ...Object.fromEntries(versions), node: process.versions.node } });
for (const target of JSON.parse(process.env.SLIPSTREAM_TARGETS)) {
  for (const [way, open] of Object.entries(ways)) {
    for (const [step, run] of Object.entries(steps)) {
      tell({ way, target: target.name, step, ...(await outcome(open, run, target)) });
    }
  }
}
