import { type JsonObject, parseJsonObject } from '../jwt/strict-json.js'
import type { Destination } from './destination.js'
import { FetchError, type FetchedAnswer, type FetchOptions, fetchBounded } from './request.js'

/**
 * The JSON object that a URL answers with status 200.
 *
 * @throws {FetchError} by rejection, for whatever else it answers.
 */
export async function fetchJson(
  destination: Destination,
  options: FetchOptions,
): Promise<{ readonly json: JsonObject; readonly headers: FetchedAnswer['headers'] }> {
  const { status, headers, body } = await fetchBounded(destination, options)
  if (status !== 200) throw new FetchError('status', status)
  const json = parseJsonObject(body)
  if (json === undefined) throw new FetchError('not_json', status)
  return { json, headers }
}
