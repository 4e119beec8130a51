'use strict';

const PATH = '/api/v1';

/** `data` of the response. Errors are thrown by `throwErrors`. */
const request = async (z, bundle, method, path, { params, body } = {}) => {
  const base = bundle.authData.url.trim().replace(/\/+$/, '');
  const response = await z.request({
    method,
    url: `${base}${PATH}${path}`,
    params: params && given(params),
    body: body && given(body),
  });
  return response.data.data;
};

/** Fields that were filled in: the API rejects empty strings. */
const given = (fields) =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  );

/** To the user's own server alone. */
const addKey = (message, z, bundle) => {
  const { api_key, url } = bundle.authData;
  if (api_key && new URL(message.url).origin === new URL(url.trim()).origin) {
    message.headers.Authorization = `Bearer ${api_key.trim()}`;
  }
  return message;
};

/** Zapier repeats a step after ThrottledError, and asks for a new key after ExpiredAuthError. */
const throwErrors = (response, z) => {
  if (response.status < 400) return response;
  response.skipThrowForStatus = true;
  const body = json(response.content);
  const message = messageOf(response.status, body);
  if (response.status === 401) throw new z.errors.ExpiredAuthError(message);
  if (response.status === 429 || response.status === 503) {
    throw new z.errors.ThrottledError(message, Number(response.getHeader('Retry-After')) || 60);
  }
  throw new z.errors.Error(message, body.code, response.status);
};

const messageOf = (status, body) => {
  const fields = Object.entries(body.errors ?? {}).map(
    ([field, messages]) => `${field}: ${messages.join(' ')}`,
  );
  const free = (body.meta?.alternatives ?? []).map(({ start_time }) => start_time);
  const instead = free.length ? [`Free instead: ${free.join(', ')}.`] : [];
  return [body.message ?? `HTTP ${status}`, ...fields, ...instead].join(' ');
};

const json = (text) => {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {}; // of a proxy
  }
};

module.exports = { addKey, request, throwErrors };
