// How the SDKs deal with headers, errors, retries, timeouts and the first connection.
import { Cerebras, OpenAI, cerebras, clients, openai } from "./clients.mjs";

const make = { cerebras, openai };
const modules = { cerebras: Cerebras, openai: OpenAI };
const classes = [
  "APIConnectionTimeoutError",
  "APIConnectionError",
  "AuthenticationError",
  "BadRequestError",
  "InternalServerError",
  "NotFoundError",
  "PermissionDeniedError",
  "RateLimitError",
  "APIError",
];

// Counts what goes over the wire, and remembers what came back.
function counting() {
  const seen = [];
  const counted = async (url, init) => {
    const one = { path: new URL(url).pathname, status: 0 };
    seen.push(one);
    const response = await fetch(url, init);
    one.status = response.status;
    return response;
  };
  return { seen, counted };
}

// Returns what a request that must fail was told, and by which class of the SDK.
export async function failure({ sdk, client = {}, body, path, options }) {
  const { seen, counted } = counting();
  const warm = sdk === "cerebras" ? { warmTCPConnection: false } : {};
  const asked = make[sdk]({ ...warm, fetch: counted, ...client });
  const began = performance.now();
  try {
    if (path) await asked.get(path);
    else await asked.chat.completions.create(body, options);
  } catch (error) {
    return {
      name: classes.find((each) => error instanceof modules[sdk][each]),
      status: error.status ?? null,
      error: error.error ?? null,
      headers: error.headers ? Object.fromEntries(new Headers(error.headers)) : {},
      seen,
      tookMs: performance.now() - began,
    };
  }
  throw new Error("the request did not fail");
}

// Returns how a stream ends whose server loses the process that writes it.
export async function crashed({ sdk, body, pid }) {
  let numChunks = 0;
  try {
    const stream = await clients[sdk].chat.completions.create({ ...body, stream: true });
    for await (const _ of stream) {
      numChunks += 1;
      if (numChunks === 1) process.kill(pid, "SIGKILL");
    }
  } catch (error) {
    return { numChunks, name: classes.find((each) => error instanceof modules[sdk][each]) };
  }
  throw new Error(`the stream ended after ${numChunks} chunks as if it were whole`);
}

// Returns the headers beside the body.
export async function withHeaders({ sdk, body }) {
  const asked = clients[sdk].chat.completions.create(body);
  const { data, response } = await asked.withResponse();
  return { data, status: response.status, headers: Object.fromEntries(response.headers) };
}

// Returns what a new client did by itself within half a minute at most.
export async function warming({ wants }) {
  const { seen, counted } = counting();
  const lines = [];
  const debug = console.log;
  console.log = (...words) => lines.push(words.join(" "));
  process.env.DEBUG = "true";
  try {
    cerebras({ warmTCPConnection: wants, fetch: counted });
    for (let waited = 0; wants && !seen[0]?.status && waited < 30_000; waited += 10) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    console.log = debug;
    delete process.env.DEBUG;
  }
  return { seen, problems: lines.filter((line) => line.includes("exception")) };
}

// Returns the list of models and each of them by itself.
export async function models({ sdk, query = {}, one }) {
  const { models: resource } = clients[sdk];
  const list = sdk === "cerebras" ? await resource.list(query) : (await resource.list()).data;
  const only = sdk === "cerebras" ? await resource.retrieve(one, query) : await resource.retrieve(one);
  return { list, one: only };
}

// Returns an answer that may have needed several tries, and what each try came to.
export async function answered({ sdk, client = {}, body, options }) {
  const { seen, counted } = counting();
  const warm = sdk === "cerebras" ? { warmTCPConnection: false } : {};
  const asked = make[sdk]({ ...warm, fetch: counted, ...client });
  return { data: await asked.chat.completions.create(body, options), seen };
}
