// Transcribes a file of any length, or (with --live) plays a 16-bit mono 16 kHz WAV file into a live call.
//
//   node transcribe.mjs [--live] FILE
//
// TRISCRIBE_ADDRESS (localhost:8443), TRISCRIBE_TOKEN, TRISCRIBE_CA (PEM; without it, plaintext),
// TRISCRIBE_PROTO (the folder proto/ of the repository).

import { createReadStream, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const PIECE_BYTES = 1 << 20;
const WAV_HEADER_BYTES = 44;
const LIVE_PIECE_BYTES = 3200; // 100 ms

const env = process.env;
const here = dirname(fileURLToPath(import.meta.url));
const protos = env.TRISCRIBE_PROTO ?? join(here, "..", "..", "..", "proto");
const definition = protoLoader.loadSync("triscribe/v1/speech.proto", {
  includeDirs: [protos],
  keepCase: true,
  longs: Number,
  enums: String,
  oneofs: true,
  defaults: true,
});
const { SpeechService } = grpc.loadPackageDefinition(definition).triscribe.v1;

const credentials = env.TRISCRIBE_CA
  ? grpc.credentials.createSsl(readFileSync(env.TRISCRIBE_CA))
  : grpc.credentials.createInsecure();
const client = new SpeechService(env.TRISCRIBE_ADDRESS ?? "localhost:8443", credentials);
const metadata = new grpc.Metadata();
if (env.TRISCRIBE_TOKEN) metadata.set("authorization", `Bearer ${env.TRISCRIBE_TOKEN}`);

const seconds = (duration) => (duration.seconds + duration.nanos / 1e9).toFixed(2).padStart(7);

function show(result) {
  const speaker = result.speaker_label ? `${result.speaker_label}: ` : "";
  const { transcript } = result.alternatives[0];
  console.log(`${seconds(result.start_offset)} ${seconds(result.result_end_offset)}  ${speaker}${transcript}`);
}

// Sends one message, and waits while the gateway has enough.
const send = (call, message) =>
  new Promise((done) => (call.write(message) ? done() : call.once("drain", done)));

async function upload(path) {
  const call = client.UploadRecognize(metadata);
  const sending = (async () => {
    await send(call, { config: {} });
    for await (const audio of createReadStream(path, { highWaterMark: PIECE_BYTES })) {
      await send(call, { audio });
    }
    call.end();
  })();
  for await (const { payload, result, progress } of call) {
    if (payload === "result") show(result);
    if (payload === "progress") process.stderr.write(`${Math.round(progress.fraction * 100)} %\r`);
  }
  await sending;
}

async function live(path) {
  const call = client.StreamingRecognize(metadata);
  const audio = readFileSync(path).subarray(WAV_HEADER_BYTES);
  const sending = (async () => {
    await send(call, {
      streaming_config: {
        config: { explicit_decoding_config: { encoding: "AUDIO_ENCODING_LINEAR16", sample_rate_hertz: 16000 } },
        streaming_features: { interim_results: true },
      },
    });
    for (let at = 0; at < audio.length; at += LIVE_PIECE_BYTES) {
      await send(call, { audio: audio.subarray(at, at + LIVE_PIECE_BYTES) });
      await sleep(100); // as it is spoken
    }
    call.end();
  })();
  for await (const { results } of call) {
    for (const result of results) {
      if (result.is_final) show(result);
      else process.stderr.write(`... ${result.alternatives[0].transcript}\n`);
    }
  }
  await sending;
}

const [flag, file] = process.argv[2] === "--live" ? process.argv.slice(2) : [null, process.argv[2]];
try {
  await (flag ? live(file) : upload(file));
} catch (error) {
  console.error(`${grpc.status[error.code] ?? "ERROR"}: ${error.details ?? error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
