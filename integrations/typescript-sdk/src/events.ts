/** Following the events of a business: the same events as webhooks, without a public address. */

import type { EventTypeName, WebhookEvent } from "./generated/events.js";
import { EventsResource } from "./generated/resources.js";

const WAIT_SECONDS = 20;
const MOST_ROWS = 100;

export interface FollowOptions {
  type?: EventTypeName | readonly EventTypeName[];
  /** The position that was stored last. */
  cursor?: string;
  since?: Date | string;
  signal?: AbortSignal;
}

/** Methods of `client.events`. */
export class FollowedEventsResource extends EventsResource {
  /**
   * Yields events as they happen, without end, each with the cursor of its page.
   *
   * Store the cursor once an event is processed and pass it after a restart: no event is skipped, and
   * at most the last page is repeated. Without `cursor` and `since` it starts with the events that are
   * recorded from now on.
   */
  async *follow(
    options: FollowOptions = {},
  ): AsyncGenerator<{ event: WebhookEvent; cursor: string }, void, undefined> {
    const { type, since, signal } = options;
    const isNew = options.cursor === undefined && since === undefined;
    let position = isNew ? await this.end() : (options.cursor ?? "");
    for (;;) {
      const { data, meta } = await this.list({
        ...(type === undefined ? {} : { type }),
        ...(since === undefined ? {} : { since }),
        cursor: position,
        wait: WAIT_SECONDS,
        per_page: MOST_ROWS,
      }).page(signal ? { signal } : {});
      const end = meta.resume_cursor ?? position;
      for (const [index, event] of data.entries()) {
        // In the middle of a page: the position before it, so that the rest is read again.
        const cursor = index === data.length - 1 ? end : position;
        yield { event: event as unknown as WebhookEvent, cursor };
      }
      position = end;
    }
  }

  /** The cursor after the newest event. It reads no clock, so that clocks may differ. */
  async end(): Promise<string> {
    const newest = await this.list({ ordering: "-created_at", per_page: 1 }).first();
    let position = "";
    if (newest === undefined) return position;
    for await (const page of this.list({ since: newest.created_at }).pages()) {
      position = page.meta.resume_cursor ?? position;
    }
    return position;
  }
}
