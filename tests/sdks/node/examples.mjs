// The founding documents' JavaScript examples that are more than one request.
import { z } from "zod";
import { zodToJsonSchema } from "zod-to-json-schema";
import { clients } from "./clients.mjs";

const Book = z.object({
  title: z.enum(["Ulysses", "Emma"]),
  author: z.enum(["Joyce", "Austen"]),
  pages: z.number().int().min(1).max(2000),
});

// A schema made from types; the answer is checked by the same types.
export async function typedAnswer({ sdk, body }) {
  const answer = await clients[sdk].chat.completions.create({
    ...body,
    response_format: {
      type: "json_schema",
      json_schema: { name: "book", strict: true, schema: zodToJsonSchema(Book) },
    },
  });
  return Book.parse(JSON.parse(answer.choices[0].message.content));
}

// Calls are carried out and their results given back; returns calls and the last answer.
export async function toolLoop({ sdk, body, results }) {
  const { completions } = clients[sdk].chat;
  const first = await completions.create(body);
  const { message } = first.choices[0];
  const answers = message.tool_calls.map((call) => ({
    role: "tool",
    content: JSON.stringify(results[call.function.name]),
    tool_call_id: call.id,
  }));
  const { tool_choice, ...rest } = body;
  const last = await completions.create({
    ...rest,
    tool_choice: "none",
    messages: [...body.messages, message, ...answers],
  });
  const calls = message.tool_calls.map(({ function: { name, arguments: text } }) => ({
    name,
    arguments: JSON.parse(text),
  }));
  return { calls, first: first.choices[0].finish_reason, last };
}

// Each turn is asked with the messages of all before it, as they were answered.
export async function conversation({ sdk, body, turns }) {
  const messages = [...body.messages];
  const answers = [];
  for (const content of turns) {
    messages.push({ role: "user", content });
    const answer = await clients[sdk].chat.completions.create({ ...body, messages });
    messages.push(answer.choices[0].message);
    answers.push(answer);
  }
  return answers;
}

// A stream is left after a number of chunks by its controller; returns what came of it.
export async function cancelled({ sdk, body, after }) {
  const stream = await clients[sdk].chat.completions.create({ ...body, stream: true });
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    if (chunks.length === after) {
      stream.controller.abort();
      break;
    }
  }
  return { chunks, isAborted: stream.controller.signal.aborted };
}
