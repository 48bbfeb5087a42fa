// One request through either SDK, told as JSON.
import { clients } from "./clients.mjs";

const resources = {
  chat: (client) => client.chat.completions,
  text: (client) => client.completions,
};

// Returns the answer's body, or all chunks of a stream.
export async function ask({ sdk, resource = "chat", body, options }) {
  const answer = await resources[resource](clients[sdk]).create(body, options);
  if (!body.stream) return answer;
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  return chunks;
}
