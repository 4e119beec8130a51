import {
	NodeApiError,
	type IDataObject,
	type IExecuteFunctions,
	type IHookFunctions,
	type IHttpRequestMethods,
	type ILoadOptionsFunctions,
	type JsonObject,
} from 'n8n-workflow';

const ROWS_PER_PAGE = 100;

type Context = IExecuteFunctions | IHookFunctions | ILoadOptionsFunctions;

export interface Parameters {
	qs?: IDataObject;
	body?: IDataObject;
	itemIndex?: number;
}

interface Envelope {
	data: unknown;
	meta: IDataObject;
}

interface ErrorBody {
	message?: string;
	errors?: Record<string, string[]>;
	meta?: { alternatives?: Array<{ start_time: string }> };
}

/** `data` of the response. Throws NodeApiError. */
export async function request<Data>(
	context: Context,
	method: IHttpRequestMethods,
	path: string,
	parameters: Parameters = {},
): Promise<Data> {
	return (await envelope(context, method, path, parameters)).data as Data;
}

/** The rows of a list by cursor, at most `limit` of them. */
export async function requestRows(
	context: Context,
	path: string,
	{ qs = {}, itemIndex }: Parameters,
	limit = Infinity,
): Promise<IDataObject[]> {
	const rows: IDataObject[] = [];
	let cursor: string | null = '';
	while (cursor !== null && rows.length < limit) {
		const per_page = Math.min(ROWS_PER_PAGE, limit - rows.length);
		const page: Envelope = await envelope(context, 'GET', path, {
			qs: { ...qs, per_page, cursor },
			itemIndex,
		});
		rows.push(...(page.data as IDataObject[]));
		cursor = page.meta.next_cursor as string | null;
	}
	return rows;
}

async function envelope(
	context: Context,
	method: IHttpRequestMethods,
	path: string,
	{ qs, body, itemIndex }: Parameters,
): Promise<Envelope> {
	const { url } = await context.getCredentials<{ url: string }>('kaiVoxApi');
	const response = await context.helpers.httpRequestWithAuthentication.call(context, 'kaiVoxApi', {
		method,
		url: `${url.trim().replace(/\/+$/, '')}/api/v1${path}`,
		qs,
		body,
		json: true,
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
	});
	if (response.statusCode >= 200 && response.statusCode < 300) return response.body as Envelope;
	const error = (typeof response.body === 'object' ? (response.body ?? {}) : {}) as ErrorBody;
	throw new NodeApiError(context.getNode(), error as JsonObject, {
		message: error.message ?? `HTTP ${response.statusCode}`,
		description: descriptionOf(error),
		httpCode: String(response.statusCode),
		itemIndex,
	});
}

function descriptionOf({ errors = {}, meta }: ErrorBody): string {
	const fields = Object.entries(errors).map(([name, messages]) => `${name}: ${messages.join(' ')}`);
	const free = (meta?.alternatives ?? []).map(({ start_time }) => start_time);
	if (free.length) fields.push(`Free instead: ${free.join(', ')}`);
	return fields.join('\n');
}
