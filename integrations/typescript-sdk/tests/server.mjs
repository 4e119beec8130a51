import { createServer } from "node:http";

import { KaiVox } from "kaivox";

// Not a real one: its checksum is wrong.
export const KEY = "kv_live_0000000000000000000000000000000000SECRET";

export const envelope = (data, meta = {}) => ({
  success: true,
  data,
  meta: { request_id: "req_1", ...meta },
});

export const failure = (code, meta = {}) => ({
  success: false,
  code,
  message: "No.",
  errors: { start_time: ["Not so."] },
  doc_url: `https://kaivox.example/docs/errors#${code}`,
  meta: { request_id: "req_2", ...meta },
});

/**
 * A client of a server that sends `responses` one after the other, each `[status, body, headers]`; and
 * the requests that the server received.
 */
export async function scripted(t, responses, options = {}) {
  const requests = [];
  const left = [...responses];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: body && JSON.parse(body) });
    const next = left.shift();
    if (next === "broken") return void request.socket.destroy();
    if (next === "silent") return;
    const [status, content, extra = {}] = next;
    const isText = typeof content === "string";
    response.writeHead(status, { "Content-Type": isText ? "text/html" : "application/json", ...extra });
    response.end(isText ? content : JSON.stringify(content));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  return { client: new KaiVox({ apiKey: KEY, baseUrl, ...options }), requests };
}
