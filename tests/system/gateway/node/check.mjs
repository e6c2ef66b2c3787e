// What the official package gets from the HTTP door, as one JSON object: node check.mjs URL MODEL FILE
import { createReadStream, readFileSync } from "node:fs";
import OpenAI, { toFile } from "openai";

const [, , baseURL, model, path] = process.argv;
const client = new OpenAI({ baseURL, apiKey: "any", maxRetries: 0 });
const create = (fields) =>
  client.audio.transcriptions.create({ file: createReadStream(path), model, ...fields });

async function refusal(work) {
  try {
    await work();
    return "no refusal";
  } catch (error) {
    return `${error.constructor.name} ${error.status} ${error.param}`;
  }
}

async function streamed(fields) {
  const events = [];
  for await (const event of await create({ stream: true, ...fields })) events.push(event);
  return events;
}

const vad = { type: "server_vad", threshold: 0.25, prefix_padding_ms: 400, silence_duration_ms: 300 };
const answers = {
  json: await create({ include: ["logprobs"] }),
  text: await create({ response_format: "text" }),
  srt: await create({ response_format: "srt" }),
  vtt: await create({ response_format: "vtt" }),
  verbose_json: await create({ response_format: "verbose_json", timestamp_granularities: ["word", "segment"] }),
  wishes: await create({ language: "en", keywords: ["Diane"], temperature: 0, chunking_strategy: vad }),
  events: await streamed({ include: ["logprobs"] }),
  translation: await client.audio.translations.create({ file: await toFile(readFileSync(path), "x"), model: "base" }),
  models: (await client.models.list()).data.map((one) => one.id),
  one: (await client.models.retrieve(model)).id,
  refusals: [
    await refusal(() => create({ temperature: 7 })),
    await refusal(() => create({ model: "nova-3" })),
    await refusal(() => create({ response_format: "diarized_json" })),
    await refusal(async () => create({ file: await toFile(Buffer.from("no audio"), "a.wav") })),
    await refusal(() => streamed({ response_format: "srt" })),
  ],
};
console.log(JSON.stringify(answers));
