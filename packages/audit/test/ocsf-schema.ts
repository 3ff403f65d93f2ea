// What OCSF 1.5.0 demands of the three classes, written as JSON Schema after the published definitions of the classes,
// their objects and the dictionary (https://schema.ocsf.io/1.5.0): required attributes, enumerations, types, the
// "at least one" constraints, and no attribute that the class does not have. It is not a copy of the published schema: only
// the attributes that our events could have are listed, so that any other one is found.

const string = { type: 'string', minLength: 1 }
const integer = { type: 'integer' }
const timestamp = { type: 'integer', minimum: 1_000_000_000_000, maximum: 99_999_999_999_999 }
const enumOf = (...values: number[]) => ({ type: 'integer', enum: values })
const object = (properties: object, required: string[] = [], ...atLeastOne: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  ...(atLeastOne.length === 0 ? {} : { anyOf: atLeastOne.map((name) => ({ required: [name] })) }),
})

const user = object(
  { uid: string, name: string, type: string, type_id: enumOf(0, 1, 2, 3, 4, 99) },
  [],
  'account',
  'name',
  'uid',
)
const session = object({ uid: string })
const service = object({ name: string, uid: string, version: string }, [], 'name', 'uid')
const endpoint = object(
  {
    ip: { type: 'string', maxLength: 40, format: 'ip' },
    svc_name: string,
  },
  [],
  'ip',
  'uid',
  'name',
  'hostname',
  'svc_name',
)

const base = {
  activity_name: string,
  category_name: string,
  class_name: string,
  type_name: string,
  time: timestamp,
  severity_id: enumOf(0, 1, 2, 3, 4, 5, 6, 99),
  severity: string,
  status_id: enumOf(0, 1, 2, 99),
  status: string,
  status_code: string,
  status_detail: string,
  message: string,
  duration: integer,
  metadata: object(
    {
      version: { const: '1.5.0' },
      product: object({ name: string, vendor_name: string, version: string }, ['vendor_name']),
      uid: string,
      event_code: string,
      log_name: string,
      original_time: string,
      correlation_uid: string,
    },
    ['product', 'version'],
  ),
  src_endpoint: endpoint,
  http_request: object({
    http_method: {
      enum: ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'TRACE', 'PATCH'],
    },
    url: object({ path: string }, [], 'url_string', 'path'),
    uid: string,
    user_agent: string,
  }),
  http_response: object({ code: integer }, ['code']),
  unmapped: { type: 'object' },
}
const baseRequired = ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid']

const classOf = (
  uid: number,
  category: number,
  activities: number[],
  properties: object,
  required: string[],
  ...atLeastOne: string[]
) =>
  object(
    {
      ...base,
      class_uid: { const: uid },
      category_uid: { const: category },
      activity_id: enumOf(...activities),
      type_uid: enumOf(...activities.map((activity) => uid * 100 + activity)),
      ...properties,
    },
    [...baseRequired, ...required],
    ...atLeastOne,
  )

/** By class_uid. */
export const ocsfSchemas: Readonly<Record<number, object>> = {
  3002: classOf(
    3002,
    3,
    [0, 1, 2, 3, 4, 5, 6, 7, 99],
    {
      user,
      service,
      session,
      is_remote: { type: 'boolean' },
      auth_protocol: string,
      auth_protocol_id: enumOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99),
    },
    ['user'],
    'service',
    'dst_endpoint',
  ),
  3003: classOf(
    3003,
    3,
    [0, 1, 2, 99],
    { user, session, privileges: { type: 'array', items: string, minItems: 1 } },
    ['user'],
    'privileges',
    'group',
  ),
  6003: classOf(
    6003,
    6,
    [0, 1, 2, 3, 4, 99],
    {
      actor: object({ app_name: string, user }, [], 'process', 'user', 'session', 'app_name', 'app_uid'),
      api: object({ operation: string, service, response: object({ error: string }) }, ['operation']),
      resources: { type: 'array', items: object({ uid: string, type: string }), minItems: 1 },
    },
    ['actor', 'api', 'src_endpoint'],
  ),
}
