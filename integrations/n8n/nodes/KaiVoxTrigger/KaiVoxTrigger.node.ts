import {
	NodeConnectionTypes,
	type IDataObject,
	type IHookFunctions,
	type INodeType,
	type INodeTypeDescription,
	type IWebhookFunctions,
	type IWebhookResponseData,
} from 'n8n-workflow';

import { isSigned } from '../shared/signature';
import { request, requestRows } from '../shared/transport';
import { EVENTS } from './events';

interface Registration {
	endpointId?: number;
	secret?: string;
}

export class KaiVoxTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'KaiVox Trigger',
		name: 'kaiVoxTrigger',
		icon: { light: 'file:../../icons/kaivox.svg', dark: 'file:../../icons/kaivox.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle: '={{$parameter["events"].join(", ")}}',
		description: 'Starts the workflow when something happens in KaiVox',
		defaults: { name: 'KaiVox Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'kaiVoxApi', required: true }],
		webhooks: [
			{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'webhook' },
		],
		properties: [
			{
				displayName: 'Events',
				name: 'events',
				type: 'multiOptions',
				options: EVENTS,
				required: true,
				default: ['appointment.booked'],
			},
		],
	};

	webhookMethods = {
		default: {
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const { endpointId, secret } = registrationOf(this);
				if (endpointId === undefined || secret === undefined) return false;
				const wanted = [...eventTypesOf(this)].sort().join();
				const endpoints = await requestRows(this, '/webhooks', {});
				return endpoints.some(
					({ id, url, is_active, event_types }) =>
						id === endpointId &&
						is_active &&
						url === this.getNodeWebhookUrl('default') &&
						[...(event_types as string[])].sort().join() === wanted,
				);
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const body = {
					url: this.getNodeWebhookUrl('default'),
					event_types: eventTypesOf(this),
					description: 'n8n',
				};
				const endpoint = await request<IDataObject>(this, 'POST', '/webhooks', { body });
				const registration = registrationOf(this);
				registration.endpointId = endpoint.id as number;
				registration.secret = endpoint.secret as string;
				return true;
			},

			async delete(this: IHookFunctions): Promise<boolean> {
				const registration = registrationOf(this);
				const { endpointId } = registration;
				const endpoints = await requestRows(this, '/webhooks', {});
				if (endpoints.some(({ id }) => id === endpointId)) {
					await request(this, 'DELETE', `/webhooks/${endpointId}`);
				}
				delete registration.endpointId;
				delete registration.secret;
				return true;
			},
		},
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const { secret } = this.getWorkflowStaticData('node') as Registration;
		const { rawBody } = this.getRequestObject();
		if (secret === undefined || !isSigned(rawBody, this.getHeaderData(), secret)) {
			this.getResponseObject().status(401).send('The signature is not valid.').end();
			return { noWebhookResponse: true };
		}
		return { workflowData: [this.helpers.returnJsonArray(this.getBodyData())] };
	}
}

function registrationOf(context: IHookFunctions): Registration {
	return context.getWorkflowStaticData('node') as Registration;
}

function eventTypesOf(context: IHookFunctions): string[] {
	const events = context.getNodeParameter('events') as string[];
	return events.includes('*') ? ['*'] : events;
}
