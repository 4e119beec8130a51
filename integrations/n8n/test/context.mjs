// What n8n passes to a node, reduced to what these nodes use; requests are real.

const { KAIVOX_URL, KAIVOX_API_KEY } = process.env;

/** Applies the credential's `authenticate`, as n8n does. */
export function contextOf(credential, { parameters = [{}], staticData = {}, ...rest } = {}) {
	const credentials = { url: `${KAIVOX_URL}/`, apiKey: KAIVOX_API_KEY };
	const headersOf = () =>
		Object.fromEntries(
			Object.entries(credential.authenticate.properties.headers).map(([name, value]) => [
				name,
				value.slice(1).replace('{{$credentials.apiKey}}', credentials.apiKey),
			]),
		);
	return {
		getNode: () => ({ id: '1', name: 'KaiVox', type: 'kaiVox', typeVersion: 1, parameters: {} }),
		getInputData: () => parameters.map((json) => ({ json })),
		getNodeParameter: (name, index, fallback) => {
			const values = parameters[typeof index === 'number' ? index : 0];
			return name in values ? values[name] : (fallback ?? index);
		},
		getCredentials: async () => credentials,
		getTimezone: () => 'Asia/Kolkata',
		getWorkflowStaticData: () => staticData,
		continueOnFail: () => false,
		helpers: {
			returnJsonArray: (json) => [{ json }],
			async httpRequestWithAuthentication(type, options) {
				if (type !== credential.name) throw new Error(`No such credential: ${type}`);
				const url = new URL(options.url);
				for (const [name, value] of Object.entries(options.qs ?? {})) url.searchParams.set(name, value);
				const headers = { ...headersOf(), Accept: 'application/json' };
				if (options.body) headers['Content-Type'] = 'application/json';
				const body = options.body && JSON.stringify(options.body);
				const response = await fetch(url, { method: options.method, headers, body });
				const text = await response.text();
				return { statusCode: response.status, headers: {}, body: text ? JSON.parse(text) : '' };
			},
		},
		...rest,
	};
}
