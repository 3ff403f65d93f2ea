import { type JsonObject, parseJsonObject } from '../strict-encoding.js'
import type { Destination } from './destination.js'
import { FetchError, type FetchedAnswer, type FetchOptions, fetchBounded } from './request.js'

/**
 * Fetches the JSON object that a URL answers with status 200.
 *
 * @throws {FetchError} by rejection, for any other answer.
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
