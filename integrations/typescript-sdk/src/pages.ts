/** Lists that are read page by page: by cursor, so that no row is skipped or repeated. */

import type { RequestOptions, Transport } from "./transport.js";

const MOST_ROWS = 100;
const OVERLAP_SECONDS = 2;
const BEGINNING = "1970-01-01T00:00:00Z";

/** Position of a page in its list. */
export interface PageMeta {
  request_id: string;
  page: number | null;
  per_page: number;
  /** Rows that match; null with a cursor, and where there are too many to count. */
  total: number | null;
  total_pages: number | null;
  total_at_least?: number;
  /** null at the end of the list. */
  next_cursor: string | null;
  /** Of events: the position after the last one, also at the end of the list. */
  resume_cursor?: string | null;
}

/** One page of a list. */
export interface Page<Row> {
  readonly data: Row[];
  readonly meta: PageMeta;
}

/** A list: `for await` reads all rows, whatever their number; pages are requested as needed. */
export class Pages<Row> implements AsyncIterable<Row> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #query: Record<string, unknown>;

  constructor(transport: Transport, path: string, query: Record<string, unknown>) {
    this.#transport = transport;
    this.#path = path;
    this.#query = query;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    for await (const page of this.pages()) yield* page.data;
  }

  /** All pages, 100 rows each unless `per_page` says otherwise. */
  async *pages(options: RequestOptions = {}): AsyncGenerator<Page<Row>, void, undefined> {
    let query: Record<string, unknown> = { per_page: MOST_ROWS, ...this.#query };
    if (query.page === undefined && query.cursor === undefined) query = { ...query, cursor: "" };
    for (;;) {
      const page = await this.#read(query, options);
      yield page;
      if (page.meta.next_cursor === null) return;
      query = { ...query, page: undefined, cursor: page.meta.next_cursor };
    }
  }

  /** One page, with `meta.total`: the first, unless `page` or `cursor` says otherwise. */
  page(options: RequestOptions = {}): Promise<Page<Row>> {
    return this.#read(this.#query, options);
  }

  /** The first row, if there is one. */
  async first(options: RequestOptions = {}): Promise<Row | undefined> {
    return (await this.page(options)).data[0];
  }

  /** All rows at once. */
  async all(): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const row of this) rows.push(row);
    return rows;
  }

  #read(query: Record<string, unknown>, options: RequestOptions): Promise<Page<Row>> {
    return this.#transport.list({ method: "GET", path: this.#path, query }, options);
  }
}

/** Rows that changed since an instant, oldest change first. */
export class Changes<Row extends { updated_at: string }> implements AsyncIterable<Row> {
  /** Store it together with the rows, and pass it to the next `sync()`. */
  updatedSince: string;
  readonly #rows: Pages<Row>;

  constructor(
    transport: Transport,
    path: string,
    filters: Record<string, unknown>,
    updatedSince: Date | string | null,
  ) {
    this.updatedSince = updatedSince === null ? BEGINNING : instantText(new Date(updatedSince));
    const query = { ...filters, updated_since: this.#start(), ordering: "updated_at" };
    this.#rows = new Pages(transport, path, query);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    for await (const row of this.#rows) {
      // All in one form, so that their texts compare as the instants do.
      if (row.updated_at > this.updatedSince) this.updatedSince = row.updated_at;
      yield row;
    }
  }

  /** Repeats the last rows: what is stored by id is not changed by that. */
  #start(): string {
    if (this.updatedSince === BEGINNING) return BEGINNING;
    return instantText(new Date(Date.parse(this.updatedSince) - OVERLAP_SECONDS * 1000));
  }
}

/** Whole seconds in UTC, as the API writes them. Throws a RangeError for what is not an instant. */
function instantText(instant: Date): string {
  return `${instant.toISOString().slice(0, 19)}Z`;
}
