import type {
	IAuthenticateGeneric,
	Icon,
	ICredentialTestRequest,
	ICredentialType,
	INodeProperties,
} from 'n8n-workflow';

export class KaiVoxApi implements ICredentialType {
	name = 'kaiVoxApi';

	displayName = 'KaiVox API';

	icon: Icon = { light: 'file:../icons/kaivox.svg', dark: 'file:../icons/kaivox.dark.svg' };

	documentationUrl = 'https://kaivox.example/docs/n8n';

	properties: INodeProperties[] = [
		{
			displayName: 'API Key',
			name: 'apiKey',
			type: 'string',
			typeOptions: { password: true },
			required: true,
			default: '',
			description: 'From Settings → API keys in KaiVox',
		},
		{
			displayName: 'Address of KaiVox',
			name: 'url',
			type: 'string',
			required: true,
			default: '',
			placeholder: 'https://kaivox.example',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: { headers: { Authorization: '=Bearer {{$credentials.apiKey}}' } },
	};

	test: ICredentialTestRequest = {
		request: { baseURL: '={{$credentials.url.replace(/\\/+$/, "")}}', url: '/api/v1/business' },
	};
}
