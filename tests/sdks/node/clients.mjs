// The two SDKs' clients: base URL and key come from the environment, and nothing else differs.
import Cerebras from "@cerebras/cerebras_cloud_sdk";
import OpenAI from "openai";

export const cerebras = (options = {}) => new Cerebras({ maxRetries: 0, ...options });

export const openai = (options = {}) =>
  new OpenAI({
    baseURL: `${process.env.CEREBRAS_BASE_URL}/v1`,
    apiKey: process.env.CEREBRAS_API_KEY,
    maxRetries: 0,
    ...options,
  });

export const clients = { cerebras: cerebras(), openai: openai() };

export { Cerebras, OpenAI };
